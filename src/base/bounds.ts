// Every bound of the engine and its reason. A queue, buffer, retry or wait without an entry here is a defect.

export const BOUNDS = {
  /** Largest request body: kube-apiserver's own limit. */
  requestBodyBytes: 3 * 1024 * 1024,
  /** Operations of one JSON patch: kube-apiserver's limit. */
  jsonPatchSteps: 10_000,
  /**
   * Requests served at once, of one user, and of one user waiting. As many as one commit of the store takes; half of them
   * for one user, so that one alone can never take all seats.
   */
  requestSeats: { seats: 256, perUser: 128, queue: 1024 },
  /** Watches, streams and followed logs, which last as long as their client wants: half a gigabyte when all lag. */
  longRunningSeats: { seats: 10_000, perUser: 5_000, queue: 0 },
  /** Written events kept for those who watch the same: they come to it within one turn of the event loop, or a few. */
  watchLines: 64,
  /** How long a client may take nothing of a list or a watch that waits for it. */
  clientStallMs: 10_000,
  /** How long a client may take to send its request: kube-apiserver's --request-timeout. */
  requestReadMs: 60_000,
  /** Revisions kept for watchers that resume; older ones answer 410 Expired. About an hour of a busy machine. */
  historyRevisions: 10_000,
  /** Events a slow watcher may lag behind before it is cut off; it lists again, as after any 410. */
  watchBacklog: 5_000,
  /** Writes in one commit: their decisions run on the event loop without a pause. */
  storeBatchWrites: 256,
  /** Room on the disk below which the store refuses what is new, and what changes: lmdb does not survive a full disk. */
  storeRoomBytes: { create: 16 * 1024 * 1024, change: 4 * 1024 * 1024 },
  /** kubelet: first restart at once, then 10 s doubling to 300 s, forgotten after 10 minutes of running. */
  restartBackoffMsMin: 10_000,
  restartBackoffMsMax: 300_000,
  restartBackoffResetMs: 600_000,
  /** kubelet's image pull back-off has the same shape. */
  pullBackoffMsMin: 10_000,
  pullBackoffMsMax: 300_000,
  /** kubelet's minimumGracePeriodInSeconds: time between the stop signal and SIGKILL, however little grace is left. */
  stopMsMin: 2_000,
  /** A resize that waits for other pods to leave is looked at again: kubelet's own retry is as slow. */
  resizeRetryMs: 60_000,
  /** What is kept of a probe's output: kubelet's maxReadLength. */
  probeOutputBytes: 10 * 1024,
  /** Redirects a probe follows: Go's HTTP client. */
  probeRedirects: 10,
  /** Retry of a failed step on the machine (sandbox, create, volumes): kubelet's own resync is about as slow. */
  stepRetryMsMin: 1_000,
  stepRetryMsMax: 60_000,
  /** How often an engine that ends with its pods says which ones it waits for: once the usual grace is over. */
  purgeTellMs: 40_000,
  /** One call of a CSI driver: kubelet's csiTimeout. */
  csiCallMs: 2 * 60_000,
  /** How long a pod waits for its claims to be bound before it says so; it is told of the binding whenever it comes. */
  claimBindingMs: 5_000,
  /**
   * Longest wait for a program that should be quick (runtime, CNI plug-in); a hung one costs only its own pod. The one
   * bound that depends on the machine: a slow disk may want more.
   */
  programTimeoutMs: Number(process.env.PODWRIGHT_PROGRAM_TIMEOUT_SECONDS ?? 60) * 1000,
  /** kubelet's nodeStatusReportFrequency: how often an unchanged Node is confirmed. */
  nodeHeartbeatMs: 5 * 60_000,
  /** index.json of an image archive: the registries' limit for a manifest. */
  imageIndexBytes: 4 * 1024 * 1024,
  /** Longest image pull. */
  pullTimeoutMs: 30 * 60_000,
  /** Pulls side by side from one registry; more would only share the same network. kubelet: maxParallelImagePulls. */
  parallelPulls: 4,
  /** Output kept of a program for its error message. */
  programOutputBytes: 1024 * 1024,
  /** Wait for the end of a finished program's output, which something it left behind may hold open. */
  programDrainMs: 1_000,
  /** Wait for killed processes to be gone; only one stuck in the kernel takes longer. */
  killWaitMs: 5_000,
  /** How long what belongs to no pod may lie about: kubelet's HousekeepingPeriod is 2 s, its garbage collection a minute. */
  sweepMs: 60_000,
  /** kubelet's limit for the termination message. */
  terminationMessageBytes: 4096,
  /** Dead instances kept per container for `logs --previous`: kubelet's maxPerPodContainer. */
  deadInstancesPerContainer: 1,
  /** How often the node is looked at for pressure: kubelet's eviction monitoring period. */
  evictionMonitorMs: 10_000,
  /** How long a pod that is evicted is waited for before another one goes: kubelet's podCleanupTimeout. */
  evictionWaitMs: 30_000,
  /** Counting the pods' disks takes a twentieth of the time at most: it rests that many times as long as it took. */
  diskMeasureShare: 20,
  /** kubelet's ImageGCPeriod. */
  imageCollectionMs: 5 * 60_000,
  /** How often container logs are measured: kubelet's containerLogMonitorInterval. */
  logMonitorMs: 10_000,
  /** How long a granted eviction counts as one while its pod stays: the disruption controller's DeletionTimeout. */
  evictionMs: 2 * 60_000,
  /** kube-apiserver's --audit-log-maxsize, and what may wait to be written: some thousand events. */
  auditFileBytes: 100 * 1024 * 1024,
  auditBacklogBytes: 4 * 1024 * 1024,
  /** Events live an hour in Kubernetes (--event-ttl). */
  eventTtlMs: 60 * 60_000,
  /** How late an expired event may be dropped. */
  eventSweepMs: 5 * 60_000,
  /** How long what is behind pods/proxy may take to begin its answer; kube-apiserver waits for ever. */
  proxyAnswerMs: 5 * 60_000,
  /** How long a watch lives when its client does not say: kube-apiserver's --min-request-timeout. */
  watchTimeoutMs: 30 * 60_000,
  /** A watch with bookmarks gets one this often, so that its client can resume from near now. */
  bookmarkMs: 60_000,
  /**
   * How often a stream says that it is there. A connection that is not read from does not tell that its client has gone; one
   * that is written to does, at the second write.
   */
  streamHeartbeatMs: 10_000,
  /** One header block and one frame of a SPDY connection, and its open streams: port-forward opens two a connection. */
  spdyHeaderBytes: 64 * 1024,
  spdyFrameBytes: 1024 * 1024,
  spdyStreams: 512,
  /** Entries of managedFields made by updates; kube-apiserver keeps as many and merges the oldest. */
  updateManagers: 10,
  /** Objects of a list written to HTTP between two turns of the event loop. */
  listChunkObjects: 200,
  /** Different events whose repetitions are counted, and events waiting to be written, per recorder. */
  eventAggregations: 4096,
  eventBacklog: 1000,
  /** Pod classes the scheduler remembers; pods with labels of their own (StatefulSets) make one each. */
  podClasses: 20_000,
  /** Nodes times pod classes whose verdicts are kept, 20 bytes each: 100,000 nodes get 160 classes, in 320 MB. */
  classViewNodes: 16_000_000,
  /** Counters of pods by topology domain; each costs every placement a little. */
  podCounters: 512,
  /** Different affinity terms of pods in the cluster before those of pods that left are forgotten. */
  ownedTerms: 1024,
  /** Node changes kept for pod classes that look again; one that lags more looks at all its nodes. */
  nodeChanges: 1 << 16,
  /** kube-scheduler's podInitialBackoffSeconds and podMaxBackoffSeconds. */
  schedulingBackoffMsMin: 1_000,
  schedulingBackoffMsMax: 10_000,
  /** kube-scheduler's podMaxInUnschedulablePodsDuration: a waiting pod is tried again this often, come what may. */
  unschedulableMsMax: 5 * 60_000,
  /** What one simulation may be made of: it fits in 4 GiB. */
  simulatedNodes: 100_000,
  simulatedPods: 1_000_000,
  /** Bindings on their way to the API at once. */
  parallelBindings: 64,
  /** How long a pod that has found its node waits for its claims to be bound there before it is planned anew. */
  volumeBindingMs: 60_000,
  /** Bindings that are committed as one: a group of pods, and so the size of one transaction. */
  bindingsTogether: 1000,
  /** kube-scheduler's minCandidateNodesAbsolute: nodes that could be freed for a pod before the best of them is taken. */
  preemptionCandidates: 100,
  /** Observations that wait until the library that counts them is loaded: two megabytes. */
  waitingObservations: 10_000,
  /** A rate is measured over at least this long, and begins anew where the last look was longer ago than the most. */
  usageWindowMsMin: 1_000,
  usageWindowMsMax: 60_000,
  /** Sandboxes kept ready for pods to come: each a process of 60 kB, an address and a dozen empty cgroups. */
  warmSandboxes: 4,
  /** How long no pod is worked on before the next of them is made: a pod's own start comes first. */
  warmIdleMs: 100,
  /** None is kept where the machine has less than this available. */
  warmMemoryBytes: 256 * 1024 * 1024,
  /** OpenTelemetry's OTEL_BSP_SCHEDULE_DELAY, OTEL_EXPORTER_OTLP_TIMEOUT and OTEL_BSP_MAX_QUEUE_SIZE by default. */
  otlpDelayMs: 5_000,
  otlpTimeoutMs: 10_000,
  otlpSpans: 2_048,
  /** Steps remembered for `podwright trace`: a pod's start has about twenty; a megabyte in all. */
  spans: 4096,
  /** status.capacity.pods: what a 2-core machine was measured with. Kubernetes' default is 110. */
  podsPerNode: 500,
} as const;
