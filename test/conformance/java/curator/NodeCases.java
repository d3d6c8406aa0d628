import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.api.transaction.TransactionOp;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;

final class NodeCases {
    private static final int SHORT_SESSION_MS = 4_000;
    private static final byte[] DATA = CacheCases.bytes("here");

    /** An ephemeral that comes back when it is deleted, and with a new session when its own expired. */
    static void persistentNode(Case one) throws Exception {
        // Its znode is its own again when the session that made it has ended.
        CuratorFramework owner = one.client(SHORT_SESSION_MS);
        CuratorFramework other = one.client();
        String path = one.path + "/node";
        try (PersistentNode node =
                new PersistentNode(owner, CreateMode.EPHEMERAL, false, path, DATA)) {
            node.start();
            Case.check(node.waitForInitialCreate(30, TimeUnit.SECONDS), "it is made");
            Stat first = Case.seen(other, path);
            other.delete().forPath(path);
            Case.await(
                    "it comes back",
                    () -> {
                        Stat now = other.checkExists().forPath(path);
                        return now != null && now.getCzxid() > first.getCzxid();
                    });
            long session = owner.getZookeeperClient().getZooKeeper().getSessionId();
            owner.getZookeeperClient().getZooKeeper().getTestable().injectSessionExpiration();
            Case.await(
                    "it comes back with a new session",
                    () -> {
                        Stat now = other.checkExists().forPath(path);
                        return now != null && now.getEphemeralOwner() != session;
                    });
        }
        Case.await("it goes with its owner", () -> other.checkExists().forPath(path) == null);
    }

    /**
     * A container that a child with a time to live keeps, which is touched; it goes when nobody does.
     * Touched eight times in its life: a machine that stands still for less than 3.5 s takes nothing.
     */
    static void persistentTtlNode(Case one) throws Exception {
        CuratorFramework owner = one.client();
        CuratorFramework other = one.client();
        String path = one.path + "/node";
        String name = PersistentTtlNode.DEFAULT_CHILD_NODE_NAME;
        String touch = path + "/" + name;
        int ttlMs = 4_000;
        int touches = 8;
        ScheduledExecutorService toucher = Executors.newSingleThreadScheduledExecutor();
        try (PersistentTtlNode node =
                new PersistentTtlNode(owner, toucher, path, ttlMs, DATA, name, touches, true)) {
            node.start();
            Case.check(node.waitForInitialCreate(30, TimeUnit.SECONDS), "it is made");
            Stat made = Case.seen(other, path);
            Stat child = Case.seen(other, touch);
            Case.await(
                    "its child was touched for longer than its life",
                    () -> {
                        Stat now = other.checkExists().forPath(touch);
                        Case.check(now != null, "its child is never gone");
                        Case.equal(now.getCzxid(), child.getCzxid());
                        return now.getMtime() > child.getCtime() + ttlMs;
                    });
            Case.equal(other.checkExists().forPath(path).getCzxid(), made.getCzxid());
        } finally {
            toucher.shutdownNow();
        }
        Case.await("it goes", () -> other.checkExists().forPath(path) == null);
    }

    /** Parents that are made as containers, and go when their last child has gone. */
    static void containers(Case one) throws Exception {
        CuratorFramework client = one.client();
        String top = one.path + "/top";
        client.create().creatingParentContainersIfNeeded().forPath(top + "/middle/leaf", DATA);
        // A container that never had a child stays.
        client.create().withMode(CreateMode.CONTAINER).forPath(one.path + "/unused", DATA);
        client.delete().forPath(top + "/middle/leaf");
        Case.await("both parents are gone", () -> client.checkExists().forPath(top) == null);
        Case.check(client.checkExists().forPath(one.path + "/unused") != null, "the unused stays");
    }

    /** All or nothing, with a result for each. */
    static void transactions(Case one) throws Exception {
        CuratorFramework client = one.client();
        client.create().creatingParentsIfNeeded().forPath(one.path + "/old", DATA);
        TransactionOp op = client.transactionOp();
        List<CuratorTransactionResult> results =
                client.transaction()
                        .forOperations(
                                op.check().withVersion(0).forPath(one.path + "/old"),
                                op.create().forPath(one.path + "/new", DATA),
                                op.setData().forPath(one.path + "/new", CacheCases.bytes("now")),
                                op.create()
                                        .withMode(CreateMode.PERSISTENT_SEQUENTIAL)
                                        .forPath(one.path + "/n-", DATA),
                                op.delete().forPath(one.path + "/old"));
        Case.equal(results.size(), 5);
        Case.equal(results.get(1).getResultPath(), one.path + "/new");
        Case.equal(results.get(2).getResultStat().getVersion(), 1);
        Case.equal(results.get(3).getResultPath(), one.path + "/n-0000000002");
        try {
            client.transaction()
                    .forOperations(
                            op.create().forPath(one.path + "/half", DATA),
                            op.setData().withVersion(7).forPath(one.path + "/new", DATA),
                            op.delete().forPath(one.path + "/new"));
            throw new AssertionError("it was carried out");
        } catch (KeeperException.BadVersionException refused) {
            int[] codes =
                    refused.getResults().stream()
                            .mapToInt(result -> ((org.apache.zookeeper.OpResult.ErrorResult) result).getErr())
                            .toArray();
            Case.equal(java.util.Arrays.toString(codes), "[0, -103, -2]");
        }
        Case.check(client.checkExists().forPath(one.path + "/half") == null, "nothing was done");
        Case.equal(new String(client.getData().forPath(one.path + "/new")), "now");
    }
}
