import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.curator.framework.CuratorFramework;

/** Curator's EnsembleTracker, which reads and watches /zookeeper/config. */
final class EnsembleCases {
    /** A client that was told of one server knows all, and what it made there. */
    static void known(Case one) throws Exception {
        CuratorFramework client = one.clientOf(one.servers().get(0));
        client.create().creatingParentsIfNeeded().forPath(one.path + "/node");
        follows(client, one.servers());
        Case.check(client.checkExists().forPath(one.path + "/node") != null, "its node is there");
    }

    /**
     * The server whose number is the argument is taken out and put back. Both follow: who is told of
     * all, and who is told of this server alone, and keeps its session.
     */
    static void changes(Case one) throws Exception {
        String number = one.arguments.get(0);
        String leaving = one.servers().get(Integer.parseInt(number) - 1);
        List<String> staying =
                one.servers().stream()
                        .filter(server -> !server.equals(leaving))
                        .collect(Collectors.toList());
        CuratorFramework administrator = one.administratorOf(staying);
        CuratorFramework ofAll = one.client();
        CuratorFramework ofOne = one.clientOf(leaving);
        for (CuratorFramework client : Arrays.asList(ofAll, ofOne)) {
            follows(client, one.servers());
        }
        ofOne.create().creatingParentsIfNeeded().forPath(one.path + "/before");
        long session = ofOne.getZookeeperClient().getZooKeeper().getSessionId();
        String line = lineOf(administrator, number);

        administrator.reconfig().leaving(number).forEnsemble();
        for (CuratorFramework client : Arrays.asList(ofAll, ofOne)) {
            follows(client, staying);
        }
        ofOne.create().forPath(one.path + "/between");

        administrator.reconfig().joining(line).forEnsemble();
        for (CuratorFramework client : Arrays.asList(ofAll, ofOne)) {
            follows(client, one.servers());
        }
        Case.equal(ofOne.getZookeeperClient().getZooKeeper().getSessionId(), session);
        one.clientOf(leaving).create().forPath(one.path + "/after");
    }

    private static void follows(CuratorFramework client, List<String> servers) throws Exception {
        Case.await(
                "it knows " + servers,
                () -> {
                    String known = client.getZookeeperClient().getCurrentConnectionString();
                    return new TreeSet<>(Arrays.asList(known.split(",")))
                            .equals(new TreeSet<>(servers));
                });
    }

    /** What /zookeeper/config says of a server. */
    private static String lineOf(CuratorFramework client, String number) throws Exception {
        String text = new String(client.getConfig().forEnsemble());
        for (String line : text.split("\n")) {
            if (line.startsWith("server." + number + "=")) return line;
        }
        throw new AssertionError("no server " + number + " in " + text);
    }
}
