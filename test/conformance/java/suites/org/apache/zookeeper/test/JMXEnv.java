package org.apache.zookeeper.test;

import java.util.Collections;
import java.util.Set;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;

/**
 * In the place of the class of ZooKeeper's tests that looks for the server's beans in its own JVM: a
 * server in another process has none there, and what the tests say of its clients is true without.
 */
public class JMXEnv {
    public static void setUp() {}

    public static void tearDown() {}

    public static void dump() {}

    public static MBeanServerConnection conn() {
        throw new UnsupportedOperationException("the server is another process");
    }

    public static Set<ObjectName> ensureAll(String... names) {
        return Collections.emptySet();
    }

    public static Set<ObjectName> ensureOnly(String... names) {
        return Collections.emptySet();
    }

    public static Set<ObjectName> ensureParent(String... names) {
        return Collections.emptySet();
    }

    public static void ensureNone(String... names) {}
}
