import java.util.Map;
import java.util.TreeMap;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.details.ServiceCacheListener;

/**
 * Prints the members of a cluster that are ready, again whenever that changes, by Curator's
 * ServiceDiscovery: {@code java Members HOST:PORT[,HOST:PORT...] CLUSTER}.
 */
final class Members {
    private static final String SERVICES = "/members/v1/services";

    private Members() {}

    public static void main(String[] args) throws Exception {
        CuratorFramework client =
                CuratorFrameworkFactory.newClient(args[0], new ExponentialBackoffRetry(500, 10));
        client.start();
        @SuppressWarnings("rawtypes")
        ServiceDiscovery<Map> discovery =
                ServiceDiscoveryBuilder.builder(Map.class).client(client).basePath(SERVICES).build();
        discovery.start();
        @SuppressWarnings("rawtypes")
        ServiceCache<Map> cache = discovery.serviceCacheBuilder().name(args[1]).build();
        cache.addListener(
                new ServiceCacheListener() {
                    @Override
                    public void cacheChanged() {
                        print(cache);
                    }

                    @Override
                    public void stateChanged(CuratorFramework same, ConnectionState state) {
                        System.err.println(state);
                    }
                });
        cache.start();
        print(cache);
        Thread.currentThread().join();
    }

    private static synchronized void print(@SuppressWarnings("rawtypes") ServiceCache<Map> cache) {
        Map<String, String> lines = new TreeMap<>();
        for (@SuppressWarnings("rawtypes") ServiceInstance<Map> member : cache.getInstances()) {
            Integer port = member.getPort() == null ? member.getSslPort() : member.getPort();
            String role = (String) member.getPayload().get("role");
            String line = member.getId() + " " + role + " " + member.getAddress() + ":" + port;
            if (member.isEnabled()) {
                lines.put(member.getId(), line);
            }
        }
        System.out.println(String.join(", ", lines.values()));
    }
}
