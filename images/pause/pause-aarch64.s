// The pause program of the infra container, arm64 Linux, without libc or stack. The same program as pause-x86_64.s;
// the reasons stand there.

        .equ    SYS_exit_group, 94
        .equ    SYS_rt_sigprocmask, 135
        .equ    SYS_rt_sigtimedwait, 137
        .equ    SYS_wait4, 260
        .equ    SIGINT, 2
        .equ    SIGTERM, 15
        .equ    SIGCHLD, 17
        .equ    SIG_BLOCK, 0
        .equ    WNOHANG, 1
        .equ    SIGSET_BYTES, 8

        .text
        .globl  _start
_start:
        mov     x0, #SIG_BLOCK                  // rt_sigprocmask(SIG_BLOCK, &signals, NULL, 8)
        adr     x1, signals
        mov     x2, xzr
        mov     x3, #SIGSET_BYTES
        mov     x8, #SYS_rt_sigprocmask
        svc     #0

await:
        adr     x0, signals                     // rt_sigtimedwait(&signals, NULL, NULL, 8)
        mov     x1, xzr
        mov     x2, xzr
        mov     x3, #SIGSET_BYTES
        mov     x8, #SYS_rt_sigtimedwait
        svc     #0
        cmp     w0, #SIGCHLD
        b.eq    reap
        tbnz    w0, #31, await                  // EINTR: stopped and continued, or traced

        mov     x0, xzr                         // SIGTERM or SIGINT
        mov     x8, #SYS_exit_group
        svc     #0

reap:                                           // one SIGCHLD may stand for many children
        mov     x0, #-1                         // wait4(-1, NULL, WNOHANG, NULL)
        mov     x1, xzr
        mov     x2, #WNOHANG
        mov     x3, xzr
        mov     x8, #SYS_wait4
        svc     #0
        cmp     w0, #0
        b.gt    reap
        b       await

        .balign 8
signals:
        .quad   (1 << (SIGINT - 1)) | (1 << (SIGTERM - 1)) | (1 << (SIGCHLD - 1))

        .section .note.GNU-stack, "", %progbits
