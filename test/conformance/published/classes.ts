/** A class of a published suite; `except` names the tests of it that do not run, each with its reason. */
export interface PublishedClass {
  readonly name: string
  readonly except?: Readonly<Record<string, string>>
}

const IN_PROCESS = 'looks into the server, which is another process here'
const STARTS_ANOTHER = 'starts servers of ZooKeeper by itself'

const zookeeper = (name: string, except: PublishedClass['except'] = {}): PublishedClass => ({
  name: `org.apache.zookeeper.${name}`,
  except,
})
const recipe = (name: string): PublishedClass => ({
  name: `org.apache.curator.framework.recipes.${name}`,
})

/** Those that `npm test` runs: what takes seconds, and says much. */
export const shortClasses: readonly PublishedClass[] = [
  zookeeper('test.CreateTest'),
  zookeeper('test.PersistentRecursiveWatcherTest'),
]

/** All that can run against a server in another process: `npm run soak java-suites`. */
export const publishedClasses: readonly PublishedClass[] = [
  ...shortClasses,
  recipe('nodes.TestPersistentNode'),
  zookeeper('GetAllChildrenNumberTest'),
  zookeeper('GetEphemeralsTest'),
  zookeeper('RemoveWatchesCmdTest'),
  zookeeper('ZKUtilTest', {
    testUnreadableFileInput: 'is written with a JUnit that is not here, and is about files',
  }),
  zookeeper('ZooKeeperTest'),
  zookeeper('test.ACLRootTest'),
  zookeeper('test.AsyncOpsTest'),
  zookeeper('test.AuthTest'),
  zookeeper('test.CheckTest', {
    testCluster: STARTS_ANOTHER,
    testClusterDatabaseReloadAfterCheck: STARTS_ANOTHER,
  }),
  zookeeper('test.ChrootAsyncTest'),
  zookeeper('test.ChrootClientTest', { testPathValidation: IN_PROCESS }),
  zookeeper('test.ChrootTest'),
  zookeeper('test.ClientHammerTest'),
  zookeeper('test.ClientRetryTest'),
  zookeeper('test.ClientTest', { testPathValidation: IN_PROCESS }),
  zookeeper('test.DigestAuthDisabledTest'),
  zookeeper('test.DisconnectedWatcherTest'),
  zookeeper('test.EnforceQuotaTest'),
  zookeeper('test.EnsembleAuthTest'),
  zookeeper('test.FourLetterWordsTest'),
  zookeeper('test.GetChildren2Test'),
  zookeeper('test.MaxCnxnsTest'),
  zookeeper('test.MultiAsyncTransactionTest'),
  zookeeper('test.MultiOperationTest'),
  zookeeper('test.NullDataTest'),
  zookeeper('test.PersistentWatcherACLTest'),
  zookeeper('test.PersistentWatcherTest'),
  zookeeper('test.SessionInvalidationTest'),
  zookeeper('test.SessionTest', {
    testMinMaxSessionTimeout: IN_PROCESS,
    testMaximumCnxnPerIP: IN_PROCESS,
  }),
  zookeeper('test.SessionTimeoutTest'),
  zookeeper('test.StatTest'),
  zookeeper('test.SyncCallTest'),
  zookeeper('test.WatcherFuncTest'),
  zookeeper('test.WatcherTest', { testWatcherCount: IN_PROCESS }),
  recipe('barriers.TestDistributedBarrier'),
  recipe('barriers.TestDistributedDoubleBarrier'),
  recipe('cache.TestCuratorCache'),
  recipe('cache.TestCuratorCacheWrappers'),
  recipe('cache.TestNodeCache'),
  recipe('cache.TestPathChildrenCache'),
  recipe('cache.TestTreeCache'),
  recipe('leader.TestLeaderLatch'),
  recipe('leader.TestLeaderSelector'),
  recipe('locks.TestInterProcessMultiMutex'),
  recipe('locks.TestInterProcessMutex'),
  recipe('locks.TestInterProcessReadWriteLock'),
  recipe('locks.TestInterProcessSemaphore'),
  recipe('locks.TestInterProcessSemaphoreMutex'),
  recipe('nodes.TestGroupMember'),
  recipe('nodes.TestPersistentEphemeralNode'),
  recipe('nodes.TestPersistentTtlNode'),
  recipe('shared.TestSharedCount'),
  recipe('watch.TestPersistentWatcher'),
]
