// The part of the Container Storage Interface that a node needs, as a protobuf description: csi.v1.Node with the messages of
// staging and publishing. Numbers and names are the specification's; fields that are not here are neither sent nor read.
// https://github.com/container-storage-interface/spec/blob/master/spec.md

const text = (id: number) => ({ type: 'string', id });
const texts = (id: number) => ({ keyType: 'string', type: 'string', id });
const method = (name: string) => ({ requestType: `${name}Request`, responseType: `${name}Response` });
const EMPTY = { fields: {} };

/** Order and numbers of csi.v1.VolumeCapability.AccessMode.Mode, as far as Kubernetes' access modes need them. */
export const ACCESS_MODES = {
  SINGLE_NODE_WRITER: 1,
  MULTI_NODE_READER_ONLY: 3,
  MULTI_NODE_MULTI_WRITER: 5,
} as const;

/** Of csi.v1.NodeServiceCapability.RPC.Type. */
const CAPABILITIES = { UNKNOWN: 0, STAGE_UNSTAGE_VOLUME: 1, VOLUME_MOUNT_GROUP: 6 };

const MESSAGES = {
  VolumeCapability: {
    oneofs: { accessType: { oneof: ['mount'] } },
    fields: { mount: { type: 'MountVolume', id: 2 }, accessMode: { type: 'AccessMode', id: 3 } },
    nested: {
      MountVolume: {
        fields: {
          fsType: text(1),
          mountFlags: { rule: 'repeated', type: 'string', id: 2 },
          volumeMountGroup: text(3),
        },
      },
      AccessMode: {
        fields: { mode: { type: 'Mode', id: 1 } },
        nested: { Mode: { values: { UNKNOWN: 0, ...ACCESS_MODES } } },
      },
    },
  },
  NodeGetCapabilitiesRequest: EMPTY,
  NodeGetCapabilitiesResponse: {
    fields: { capabilities: { rule: 'repeated', type: 'NodeServiceCapability', id: 1 } },
  },
  NodeServiceCapability: {
    oneofs: { type: { oneof: ['rpc'] } },
    fields: { rpc: { type: 'RPC', id: 1 } },
    nested: {
      RPC: { fields: { type: { type: 'Type', id: 1 } }, nested: { Type: { values: CAPABILITIES } } },
    },
  },
  NodeStageVolumeRequest: {
    fields: {
      volumeId: text(1),
      publishContext: texts(2),
      stagingTargetPath: text(3),
      volumeCapability: { type: 'VolumeCapability', id: 4 },
      secrets: texts(5),
      volumeContext: texts(6),
    },
  },
  NodeStageVolumeResponse: EMPTY,
  NodeUnstageVolumeRequest: { fields: { volumeId: text(1), stagingTargetPath: text(2) } },
  NodeUnstageVolumeResponse: EMPTY,
  NodePublishVolumeRequest: {
    fields: {
      volumeId: text(1),
      publishContext: texts(2),
      stagingTargetPath: text(3),
      targetPath: text(4),
      volumeCapability: { type: 'VolumeCapability', id: 5 },
      readonly: { type: 'bool', id: 6 },
      secrets: texts(7),
      volumeContext: texts(8),
    },
  },
  NodePublishVolumeResponse: EMPTY,
  NodeUnpublishVolumeRequest: { fields: { volumeId: text(1), targetPath: text(2) } },
  NodeUnpublishVolumeResponse: EMPTY,
};

/** In protobuf.js' JSON form. */
export const CSI_PROTO = {
  nested: {
    csi: {
      nested: {
        v1: {
          nested: {
            ...MESSAGES,
            Node: {
              methods: {
                NodeGetCapabilities: method('NodeGetCapabilities'),
                NodeStageVolume: method('NodeStageVolume'),
                NodeUnstageVolume: method('NodeUnstageVolume'),
                NodePublishVolume: method('NodePublishVolume'),
                NodeUnpublishVolume: method('NodeUnpublishVolume'),
              },
            },
          },
        },
      },
    },
  },
};
