import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceProvider;

final class DiscoveryCases {
    static void services(Case one) throws Exception {
        ServiceInstance<String> first = instance("first", 1001);
        ServiceInstance<String> second = instance("second", 1002);
        CuratorFramework owner = one.client();
        try (ServiceDiscovery<String> here = discovery(one, owner, first);
                ServiceDiscovery<String> there = discovery(one, one.client(), second);
                ServiceDiscovery<String> asking = discovery(one, one.client(), null)) {
            Case.equal(new ArrayList<>(asking.queryForNames()), Arrays.asList("database"));
            Case.equal(ids(asking.queryForInstances("database")), Arrays.asList("first", "second"));
            ServiceInstance<String> found = asking.queryForInstance("database", "second");
            Case.equal(found.getPort(), 1002);
            Case.equal(found.getPayload(), "payload of second");
            try (ServiceCache<String> cache = asking.serviceCacheBuilder().name("database").build();
                    ServiceProvider<String> provider =
                            asking.serviceProviderBuilder().serviceName("database").build()) {
                cache.start();
                provider.start();
                Case.equal(ids(cache.getInstances()), Arrays.asList("first", "second"));
                there.unregisterService(second);
                Case.await("the cache is told", () -> cache.getInstances().size() == 1);
                Case.await("the provider is told", () -> provider.getAllInstances().size() == 1);
                Case.equal(provider.getInstance().getId(), "first");
                owner.getZookeeperClient().getZooKeeper().getTestable().injectSessionExpiration();
                there.registerService(second);
                Case.await(
                        "the first is registered again with its owner's new session",
                        () -> ids(cache.getInstances()).equals(Arrays.asList("first", "second")));
            }
        }
    }

    private static ServiceInstance<String> instance(String id, int port) throws Exception {
        return ServiceInstance.<String>builder()
                .name("database")
                .id(id)
                .address("127.0.0.1")
                .port(port)
                .payload("payload of " + id)
                .build();
    }

    private static ServiceDiscovery<String> discovery(
            Case one, CuratorFramework client, ServiceInstance<String> own) throws Exception {
        ServiceDiscoveryBuilder<String> builder =
                ServiceDiscoveryBuilder.builder(String.class).client(client).basePath(one.path);
        ServiceDiscovery<String> discovery =
                (own == null ? builder : builder.thisInstance(own)).build();
        discovery.start();
        return discovery;
    }

    private static List<String> ids(java.util.Collection<ServiceInstance<String>> instances) {
        List<String> ids =
                instances.stream().map(ServiceInstance::getId).collect(Collectors.toList());
        Collections.sort(ids);
        return ids;
    }
}
