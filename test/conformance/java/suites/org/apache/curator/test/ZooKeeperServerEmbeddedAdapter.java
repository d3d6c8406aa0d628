package org.apache.curator.test;

import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import quorate.test.QuorateProcess;

/**
 * In the place of the class by which Curator's TestingServer and TestingCluster start a server of
 * ZooKeeper: the same settings start Quorate.
 */
public class ZooKeeperServerEmbeddedAdapter implements ZooKeeperMainFace {
    private volatile QuorateProcess server;

    @Override
    public void start(QuorumPeerConfigBuilder configBuilder) {
        try {
            Properties properties = configBuilder.buildProperties();
            Map<String, String> settings = new TreeMap<>();
            for (String name : properties.stringPropertyNames()) {
                settings.put(name, properties.getProperty(name));
            }
            server = QuorateProcess.start(settings);
        } catch (Exception e) {
            throw new FailedServerStartException(e);
        }
    }

    @Override
    public int getClientPort() {
        return server.clientPort();
    }

    @Override
    public void kill() {
        if (server != null) {
            server.kill();
        }
    }

    @Override
    public void close() {
        if (server != null) {
            server.stop();
        }
    }
}
