# The pause program of the infra container, x86-64 Linux, without libc or stack.
#
# It holds the pod's namespaces: it sleeps in the kernel until a signal comes. As PID 1 of a shared PID namespace it
# also reaps the orphans the kernel hands it. SIGTERM or SIGINT end it with exit code 0.
#
# The three signals are blocked and then waited for, so there are no handlers (and no restorer), and none is lost
# between two waits. A blocked signal reaches PID 1 although PID 1 otherwise ignores what it has no handler for.

        .equ    SYS_rt_sigprocmask, 14
        .equ    SYS_wait4, 61
        .equ    SYS_rt_sigtimedwait, 128
        .equ    SYS_exit_group, 231
        .equ    SIGINT, 2
        .equ    SIGTERM, 15
        .equ    SIGCHLD, 17
        .equ    SIG_BLOCK, 0
        .equ    WNOHANG, 1
        .equ    SIGSET_BYTES, 8

        .text
        .globl  _start
_start:
        movl    $SYS_rt_sigprocmask, %eax       # rt_sigprocmask(SIG_BLOCK, &signals, NULL, 8)
        movl    $SIG_BLOCK, %edi
        leaq    signals(%rip), %rsi
        xorl    %edx, %edx
        movl    $SIGSET_BYTES, %r10d
        syscall

await:
        movl    $SYS_rt_sigtimedwait, %eax      # rt_sigtimedwait(&signals, NULL, NULL, 8)
        leaq    signals(%rip), %rdi
        xorl    %esi, %esi
        xorl    %edx, %edx
        movl    $SIGSET_BYTES, %r10d
        syscall
        cmpl    $SIGCHLD, %eax
        je      reap
        testl   %eax, %eax
        js      await                           # EINTR: stopped and continued, or traced

        movl    $SYS_exit_group, %eax           # SIGTERM or SIGINT
        xorl    %edi, %edi
        syscall

reap:                                           # one SIGCHLD may stand for many children
        movl    $SYS_wait4, %eax                # wait4(-1, NULL, WNOHANG, NULL)
        movq    $-1, %rdi
        xorl    %esi, %esi
        movl    $WNOHANG, %edx
        xorl    %r10d, %r10d
        syscall
        testl   %eax, %eax
        jg      reap
        jmp     await

        .balign 8
signals:
        .quad   (1 << (SIGINT - 1)) | (1 << (SIGTERM - 1)) | (1 << (SIGCHLD - 1))

        .section .note.GNU-stack, "", @progbits
