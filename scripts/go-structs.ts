// Reads the struct types, with their tags, out of a Go program: what Go's reflect package knows at run time is in the
// file. Only for 64-bit ELF files at fixed addresses, as kubectl and helm are published.
// The layouts are those of Go's internal/abi (type.go): Type, PtrType, StructType, StructField, Name, UncommonType.
import { readFileSync } from 'node:fs';

export type GoField = {
  /** The whole tag: `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`. */
  readonly tag: string;
  readonly isPointer: boolean;
  /** The struct this field is of; undefined when it is of no struct. */
  readonly struct: GoStruct | undefined;
};
export type GoStruct = {
  readonly packagePath: string;
  readonly name: string;
  readonly fields: readonly GoField[];
};

const KIND = { pointer: 22, struct: 25, mask: 31 } as const;
const FLAG = { uncommon: 1, extraStar: 2 } as const;
const TYPE = { flags: 20, kind: 23, name: 40, end: 48 } as const;
const STRUCT_END = TYPE.end + 32;

type Section = { readonly address: number; readonly bytes: Buffer };

function sectionsOf(file: Buffer): Section[] {
  const start = Number(file.readBigUInt64LE(0x28));
  const [size, count] = [file.readUInt16LE(0x3a), file.readUInt16LE(0x3c)];
  return Array.from({ length: count }, (_, index) => {
    const header = file.subarray(start + index * size);
    const offset = Number(header.readBigUInt64LE(24));
    const bytes = file.subarray(offset, offset + Number(header.readBigUInt64LE(32)));
    return { address: Number(header.readBigUInt64LE(16)), bytes };
  });
}

function sectionNamed(file: Buffer, name: string): Section {
  const sections = sectionsOf(file);
  const [start, size] = [Number(file.readBigUInt64LE(0x28)), file.readUInt16LE(0x3a)];
  const names = sections[file.readUInt16LE(0x3e)]?.bytes;
  const found = sections.find((_, index) => {
    const at = file.readUInt32LE(start + index * size);
    return names?.subarray(at, names.indexOf(0, at)).toString() === name;
  });
  if (found === undefined) throw new Error(`the program has no section ${name}`);
  return found;
}

/** Every struct that a pointer type of the program points to, by package and name. */
export function readGoStructs(path: string): GoStruct[] {
  const file = readFileSync(path);
  const { address: base, bytes: data } = sectionNamed(file, '.rodata');
  const links = sectionNamed(file, '.typelink').bytes;
  const known = new Map<number, GoStruct>();

  /** A reference from one place of the read-only data to another, as an offset in it. */
  const pointer = (at: number): number => Number(data.readBigUInt64LE(at)) - base;
  const text = (at: number): { readonly text: string; readonly end: number } => {
    let [length, shift, byte] = [0, 0, 0x80];
    let position = at;
    for (; byte & 0x80; shift += 7) {
      byte = data.readUInt8(position++);
      length |= (byte & 0x7f) << shift;
    }
    return { text: data.toString('utf8', position, position + length), end: position + length };
  };
  const fieldAt = (at: number): GoField => {
    const name = pointer(at);
    const hasTag = (data.readUInt8(name) & 2) !== 0;
    const tag = hasTag ? text(text(name + 1).end).text : '';
    const type = pointer(at + 8);
    const isPointer = kindOf(type) === KIND.pointer;
    return { tag, isPointer, struct: structAt(isPointer ? pointer(type + TYPE.end) : type) };
  };
  const kindOf = (at: number): number => data.readUInt8(at + TYPE.kind) & KIND.mask;
  const structAt = (at: number): GoStruct | undefined => {
    const found = known.get(at);
    if (found !== undefined) return found;
    if (at < 0 || at + STRUCT_END > data.length || kindOf(at) !== KIND.struct) return undefined;
    const flags = data.readUInt8(at + TYPE.flags);
    if ((flags & FLAG.uncommon) === 0) return undefined;
    const fullName = text(data.readInt32LE(at + TYPE.name) + 1).text.slice(flags & FLAG.extraStar ? 1 : 0);
    const fields: GoField[] = [];
    const struct: GoStruct = {
      packagePath: text(data.readInt32LE(at + STRUCT_END) + 1).text,
      name: fullName.slice(fullName.lastIndexOf('.') + 1),
      fields,
    };
    // Before its fields: a type may refer to itself.
    known.set(at, struct);
    const start = pointer(at + TYPE.end + 8);
    const count = Number(data.readBigUInt64LE(at + TYPE.end + 16));
    for (let index = 0; index < count; index++) fields.push(fieldAt(start + index * 24));
    return struct;
  };

  for (let at = 0; at < links.length; at += 4) {
    const type = links.readInt32LE(at);
    if (kindOf(type) === KIND.pointer) structAt(pointer(type + TYPE.end));
  }
  return [...known.values()];
}
