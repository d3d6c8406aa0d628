package quorate.test;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import org.apache.zookeeper.server.ServerCnxn;
import org.apache.zookeeper.server.ServerCnxnFactory;
import org.apache.zookeeper.server.ZooKeeperServer;

/**
 * ZooKeeper's tests start their server by a factory of connections, which a system property names. This
 * one starts Quorate: the ZooKeeperServer that it is given lends its settings and is never started.
 */
public final class QuorateCnxnFactory extends ServerCnxnFactory {
    private InetSocketAddress address;
    private QuorateProcess server;

    @Override
    public void configure(InetSocketAddress address, int maxClients, int backlog, boolean secure)
            throws IOException {
        this.address = address;
        this.maxCnxns = maxClients;
        this.secure = secure;
        if (secure) {
            throw new IOException("these tests start servers without TLS");
        }
    }

    @Override
    public void startup(ZooKeeperServer settings, boolean start) throws IOException {
        setZooKeeperServer(settings);
        Map<String, String> lines = new TreeMap<>();
        lines.put("dataDir", settings.getTxnLogFactory().getSnapDir().getParentFile() + "/quorate");
        lines.put("clientPort", String.valueOf(address.getPort()));
        lines.put("tickTime", String.valueOf(settings.getTickTime()));
        lines.put("minSessionTimeout", String.valueOf(settings.getMinSessionTimeout()));
        lines.put("maxSessionTimeout", String.valueOf(settings.getMaxSessionTimeout()));
        // Less than none is no limit to ZooKeeper, as none is.
        lines.put("maxClientCnxns", String.valueOf(Math.max(0, maxCnxns)));
        server = QuorateProcess.start(lines);
    }

    @Override
    public void shutdown() {
        if (server != null) {
            server.stop();
        }
        server = null;
    }

    @Override
    public void join() {}

    @Override
    public void start() {}

    @Override
    public void reconfigure(InetSocketAddress address) {
        throw new UnsupportedOperationException();
    }

    @Override
    public int getLocalPort() {
        return address.getPort();
    }

    @Override
    public InetSocketAddress getLocalAddress() {
        return address;
    }

    @Override
    public int getSocketListenBacklog() {
        return -1;
    }

    @Override
    public int getMaxClientCnxnsPerHost() {
        return maxCnxns;
    }

    @Override
    public void setMaxClientCnxnsPerHost(int max) {
        maxCnxns = max;
    }

    @Override
    public Iterable<ServerCnxn> getConnections() {
        throw new UnsupportedOperationException("the connections are another process's");
    }

    @Override
    public void closeAll(ServerCnxn.DisconnectReason reason) {
        throw new UnsupportedOperationException("the connections are another process's");
    }

    @Override
    public boolean closeSession(long sessionId, ServerCnxn.DisconnectReason reason) {
        throw new UnsupportedOperationException("the sessions are another process's");
    }

    @Override
    public void resetAllConnectionStats() {}

    @Override
    public Iterable<Map<String, Object>> getAllConnectionInfo(boolean brief) {
        return Collections.emptyList();
    }
}
