import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ServerEnsemble } from './processes.ts'
import { createEnsemble, type EnsembleOptions } from './server-ensemble.ts'
import { zookeeperTool } from './toolchain.ts'

/**
 * Apache ZooKeeper as its distribution starts it: default heap, forceSync on, logging to its output file;
 * only warnings, so that its log costs it nothing in a measurement.
 */
export async function zookeeperEnsemble(options: EnsembleOptions): Promise<ServerEnsemble> {
  const tool = zookeeperTool()
  if (tool.found === null) throw new Error(tool.reason)
  const { java, classPath } = tool.found
  return await createEnsemble(
    {
      name: 'zookeeper',
      http: options.monitored === true,
      metricsApart: true,
      // The types that Quorate has without being asked: znodes with a time to live.
      settings: (httpPort, metricsPort) => ({
        extendedTypesEnabled: 'true',
        ...(options.monitored === true ? monitoring(httpPort, metricsPort) : {}),
      }),
      command: ({ directory, configuration }) => {
        const logback = join(directory, 'logback.xml')
        writeFileSync(logback, logbackConfiguration(directory))
        return {
          command: java,
          args: [
            '-cp',
            classPath,
            `-Dlogback.configurationFile=${logback}`,
            ...systemProperties(options),
            'org.apache.zookeeper.server.quorum.QuorumPeerMain',
            configuration,
          ],
        }
      },
    },
    options,
  )
}

/** ZooKeeper reads these as they are: in its file they become `zookeeper.…`, and say nothing. */
function systemProperties({ settings = {} }: EnsembleOptions): string[] {
  return Object.entries(settings)
    .filter(([key]) => /^(znode\.container\.|readonlymode\.enabled$|java\.security\.)/.test(key))
    .map(([key, value]) => `-D${key}=${value}`)
}

function monitoring(httpPort: number, metricsPort: number): Readonly<Record<string, string>> {
  return {
    'admin.enableServer': 'true',
    'admin.serverPort': String(httpPort),
    'metricsProvider.className':
      'org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider',
    'metricsProvider.httpPort': String(metricsPort),
  }
}

/** What the server audits (`audit.enable`) goes to a file of its own, as in its distribution. */
function logbackConfiguration(directory: string): string {
  return `<configuration>
  <appender name="FILE" class="ch.qos.logback.core.FileAppender">
    <file>${join(directory, 'output.log')}</file>
    <encoder><pattern>%d %-5p [%t] %c{1} - %m%n</pattern></encoder>
  </appender>
  <appender name="AUDIT" class="ch.qos.logback.core.FileAppender">
    <file>${join(directory, 'audit.log')}</file>
    <encoder><pattern>%d %-5p %m%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="FILE"/></root>
  <logger name="org.apache.zookeeper.audit.Slf4jAuditLogger" level="INFO" additivity="false">
    <appender-ref ref="AUDIT"/>
  </logger>
</configuration>
`
}
