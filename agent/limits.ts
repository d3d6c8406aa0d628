/** Every bound of the agent in one place; those that an operator may set are defaults of config.ts. */
export const limits = {
  /** Between two turns of the loop: while something is decided, and while a member just serves. */
  turnMs: 250,
  turnMsIdle: 500,
  /** One question to the engine's HTTP port. */
  engineTimeoutMs: 1_000,
  /** Between questions to an engine, the same. */
  engineEveryMs: 1_000,
  engineEveryMsIdle: 2_000,
  /** A member that its leader has not heard for this long is not handed leadership. */
  memberSilentMs: 2_000,
  /** One request to the Kubernetes API. */
  kubernetesTimeoutMs: 2_000,
  /** Between reads of the StatefulSet and the record: while they decide something, and else. */
  kubernetesEveryMsBusy: 1_000,
  kubernetesEveryMsIdle: 15_000,
  /** One request of the job that makes secrets, to the same API. */
  secretsTimeoutMs: 10_000,
  /** The body of a request to the agent, and of an answer that it gets. */
  bodyBytesMax: 1_024,
  answerBytesMax: 4 * 1024 * 1024,
  /** One question to the agent of another pod, and between them. */
  peerTimeoutMs: 1_000,
  peerEveryMs: 1_000,
  /** Answers older than this neither found nor join a cluster. */
  startFreshMs: 5_000,
  /** A disk with data waits this long for a first answer of the Kubernetes API. */
  apiGraceMs: 3_000,
  /** No removal without a GET of the StatefulSet as new as this. */
  verdictFreshMs: 2_000,
  /** A stop asks on for its reason for so long while the API does not answer. */
  verdictPatienceMs: 15_000,
  /** All of a drain; the pod's grace period less 15 s. */
  drainBudgetMs: 285_000,
  /** An engine that answers no more in a drain is waited for so long: three times the longest limit of an answer. */
  drainSilenceMs: 15_000,
  /** What is left of a drain when SIGTERM comes. */
  sigtermBudgetMs: 8_000,
  /** A restart waits this long for leadership to move. */
  handOverMs: 10_000,
  /** A drain without SIGTERM is taken back after this. */
  returnAfterMs: 30_000,
  /** A member beyond the replicas without a session is removed after this. */
  reconcileAfterMs: 30_000,
  /** Between tries of the same side effect. */
  retryMs: 500,
  /** Session of the agent in the tree. */
  sessionTimeoutMs: 10_000,
  /** One request to the tree. */
  treeTimeoutMs: 5_000,
  /** Opening a connection to one server of the tree. */
  treeDialMs: 1_500,
  /** A client that has no session after this is built anew. */
  treeHandshakeMs: 10_000,
  /** A server that was cut off or did not answer is tried last for this long. */
  treeAvoidMs: 10_000,
  /** Facts of the tree older than this begin nothing. */
  treeFreshMs: 5_000,
  /** A disk with data waits this long for the tree, then its engine starts without it. */
  treeGraceMs: 60_000,
  /** A member waits so long for what should be done before its engine starts. */
  preparingMs: 300_000,
  /** Between looks at a cluster's facts in the tree: while they decide something, and else. */
  clusterEveryMs: 1_000,
  clusterEveryMsIdle: 4_000,
  /** Between notes of the furthest position of a cluster. */
  positionEveryMs: 30_000,
  /** Between checks of the lease, and of what is published. */
  leaseEveryMs: 500,
  publishEveryMs: 2_500,
  /** Between samples of the event loop's delay: prom-client's 10 ms were most of an idle agent's CPU. */
  lagSampleMs: 1_000,
  /** One frame of the tree. */
  treeFrameBytesMax: 1_048_575,
  /** One answer of a Kafka broker: all partitions of its cluster may be in it. */
  kafkaAnswerBytesMax: 64 * 1024 * 1024,
  /** A broker that takes longer to answer ApiVersions counts as dead. */
  kafkaAnswerMs: 5_000,
  /** What a turn of the loop waits for a broker's answer; then the answer before it counts. */
  kafkaPatienceMs: 1_000,
  /** One question about all partitions, or a change. */
  kafkaSurveyMs: 10_000,
  /** Copies looked at longer ago than this let no broker stop. */
  kafkaSurveyFreshMs: 2_000,
  /** Between looks at the copies of a broker that starts. */
  kafkaSurveyEveryMs: 2_000,
  /** The same when looks fail, one after the other: twice as long each time, and no longer than this. */
  kafkaSurveyPauseMsMax: 60_000,
  /** A broker whose copies are behind is ready all the same, so long after its registration. */
  kafkaBehindMs: 600_000,
  /** A broker lets others stop first, for so long. */
  kafkaControllerLastMs: 60_000,
  /** Brokers that are told to stop together have said so in the tree after this. */
  kafkaOthersMs: 2_000,
  /** A broker with data waits so long for what the tree says of controllers that are a set of their own. */
  kafkaRecordPatienceMs: 10_000,
  /** Controllers without a leader for so long: a node that stops does not wait for one any more. */
  kafkaLeaderlessMs: 20_000,
  /** A controller that has not had all of the metadata for longer is behind. */
  kafkaBehindLeaderMs: 5_000,
  /** Where several controllers stop at once, each waits so long for what others do. */
  kafkaTurnsMs: 10_000,
  /** A broker that left with copies stays registered; it is looked at again after this. */
  kafkaUnregisterAgainMs: 60_000,
  /** A member document. */
  documentBytesMax: 4_096,
  /** MongoDB: opening a connection, and one question over it. */
  mongodbDialMs: 1_000,
  mongodbAnswerMs: 1_000,
  /** What applications are told to wait for a connection, in the string that is published. */
  mongodbClientConnectMs: 5_000,
  /** One change of the replica set, with all its steps; what has not come of it then is tried anew. */
  mongodbChangeMs: 10_000,
  /** Between looks at what a change came to. */
  mongodbPauseMs: 100,
  /** A primary that stepped down is none again before this; and so long it waits for a secondary. */
  mongodbStepDownSeconds: 60,
  mongodbCatchUpSeconds: 10,
  /** Between tries of what a member does for itself and could not do. */
  mongodbDutyRetryMs: 30_000,
  /** A server that takes connections and answers no ping for so long is dead. */
  mongodbSilentMs: 30_000,
  /** A member in RECOVERING has not gone on for so long before it is asked whether it ever can; and between looks. */
  mongodbStaleMs: 30_000,
  mongodbStaleEveryMs: 10_000,
  /** One reply of MongoDB. */
  mongodbFrameBytesMax: 4_194_304,
  /** One answer of Patroni for which it looks into the tree; a switchover is on record by then. */
  patroniTreeMs: 3_000,
  /** Between looks at what Patroni knows of its cluster, while it runs. */
  patroniEveryMs: 2_000,
  /** A standby of PostgreSQL that is further behind serves nobody. */
  postgresqlLagBytesMax: 16 * 1024 * 1024,
  /** A Patroni that has answered and then does not for so long is dead: it gives its own loop at most 40 s, twice the ttl. */
  postgresqlSilentMs: 60_000,
  /** A role stays for so long without an answer of Patroni, of whose ttl half is left then: nobody else leads yet. */
  postgresqlRoleMs: 10_000,
  /** A PostgreSQL server that is to stop waits so long for a synchronous standby, before and after a switchover. */
  postgresqlStandbyMs: 30_000,
  /** Patroni makes the slot of a removed member again for a while: it is dropped again after so long. */
  postgresqlSlotMs: 300_000,
  /** Any other engine: one request of health, of a hook; the longest that may be asked for. */
  genericHealthMs: 1_000,
  genericHookMs: 10_000,
  genericTimeoutMsMax: 600_000,
  /** What an engine's answer by TCP may be. */
  genericAnswerBytesMax: 65_536,
  /** A member with data waits so long for another to lead, before it starts as it remembers. */
  genericFollowMs: 20_000,
  /** A restart waits so long for a drain hook that does not succeed. */
  genericDrainMs: 30_000,
  /** Files, and the text of one: before and after facts are put in. */
  genericFilesMax: 32,
  genericFileBytesMax: 262_144,
  /** Between looks at the documents of members whose facts are used, and at the roster. */
  genericMembersEveryMs: 2_000,
  /** A znode of a file is watched, and read again after this for all that: a watch may be lost. */
  genericFileEveryMs: 15_000,
  /** Between tries to tell a process of a file that it refused. */
  genericReloadRetryMs: 10_000,
  /** AllegroGraph: creating the cluster, or removing an instance. */
  allegrographChangeMs: 30_000,
  /** Growing the cluster by an instance: all data is copied. */
  allegrographGrowMs: 3_600_000,
  /** What the loop waits for that; the request goes on beside it. */
  allegrographPatienceMs: 5_000,
  /** A copy that is listed, while nobody waits for its growth, has to be an instance after this. */
  allegrographStuckMs: 600_000,
  /** An instance that the controlling one has not listed for so long is none. */
  allegrographUnlistedMs: 30_000,
  /** A server of AllegroGraph that answers nothing for so long is dead. */
  allegrographSilentMs: 30_000,
  /** Between questions to the Kubernetes API about the pod of one copy. */
  allegrographPodsEveryMs: 5_000,
  /** MariaDB: opening a connection, and one question over it. */
  galeraAnswerMs: 1_000,
  /** A server that takes connections and answers none for so long is dead. */
  galeraSilentMs: 60_000,
  /** One packet of MariaDB; the longest row here is one of the provider's options. */
  galeraPacketBytesMax: 1_048_576,
  /** Between the word that a member stops and the first query that it refuses. */
  galeraLeaveMs: 3_000,
  /** Without a majority for so long, while others wait to start: an election needs this member stopped. */
  galeraStandDownMs: 10_000,
  /** Numbers of refused transactions, which leave no trace on the disk: so far the position on record is behind. */
  galeraPositionSlack: 100,
  /** Between tries to have the server take a renewed certificate. */
  galeraDutyRetryMs: 30_000,
  /** Between tries to label the own pod with its role. */
  roleLabelRetryMs: 5_000,
  /** What is left for goodbyes when the process ends. */
  goodbyeMs: 1_000,
} as const
