import { waitFor } from '../../support/wait-for.ts'
import { attempt, type Namespace, RESTRICTED_CONTAINER, RESTRICTED_POD } from './cluster.ts'
import type { Dependent } from './dependent.ts'

const POD = 'kafka-tools'
const BIN = '/opt/kafka/bin'
/** Client settings of the tools, and the certificates, in their pod. */
const CLIENT = '/tmp/client.properties'
const TREE_TLS = '/tmp/tree.properties'
const CERTIFICATES = '/certificates'
const CLIENT_PORT = 9092
const SHELL = 'org.apache.zookeeper.ZooKeeperMainWithTlsSupportForKafka'

export interface KafkaImage {
  readonly tag: string
  /** Name of the secret of certificates; null: everything is plain. */
  readonly tls: string | null
}

/** The tools of a Kafka image, in a pod of their own. */
export class KafkaTools {
  readonly #dependent: Dependent
  readonly #image: KafkaImage
  #started: Promise<void> | null = null

  constructor(dependent: Dependent, image: KafkaImage) {
    this.#dependent = dependent
    this.#image = image
  }

  get bootstrap(): string {
    const { name, namespace } = this.#dependent
    return `${name}-bootstrap.${namespace.name}.svc.cluster.local:${CLIENT_PORT}`
  }

  /** What a script prints that runs in the pod of the tools, with `$KAFKA` and `$CLIENT` in it. */
  async script(text: string, input = ''): Promise<string> {
    await this.#ready()
    const { namespace } = this.#dependent
    const where = ['-n', namespace.name, 'exec', '-i', POD, '--']
    const { code, stdout, stderr } = await attempt(
      'kubectl',
      [...where, 'bash', '-ec', text],
      input,
    )
    if (code !== 0) throw new Error(`${text}: ${code}\n${stdout}${stderr}`)
    return stdout.trim()
  }

  /** One tool of Kafka, told where the brokers are and how to speak to them. */
  kafka(tool: string, ...words: readonly string[]): Promise<string> {
    const client = `--command-config ${CLIENT}`
    return this.script(
      `${BIN}/${tool}.sh --bootstrap-server ${this.bootstrap} ${client} ${words.join(' ')}`,
    )
  }

  /** kafka-cluster.sh, which takes its arguments in another order, and under another name. */
  cluster(command: string, ...words: readonly string[]): Promise<string> {
    const how = `--bootstrap-server ${this.bootstrap} --config ${CLIENT}`
    return this.script(`${BIN}/kafka-cluster.sh ${command} ${how} ${words.join(' ')}`)
  }

  /** A command of ZooKeeper's shell on Kafka's part of the tree; by its class, since not every image starts it alike. */
  async tree(...words: readonly string[]): Promise<string> {
    const { release, name, namespace } = this.#dependent
    const { tls } = this.#image
    const place = `${release.name}-cs.${namespace.name}.svc.cluster.local:${tls === null ? 2181 : 2281}`
    const secure = tls === null ? '' : `-zk-tls-config-file ${TREE_TLS}`
    const shell = `${BIN}/kafka-run-class.sh ${SHELL} -server ${place}/${name}`
    return (await this.script(`${shell} ${secure} ${words.join(' ')}`)).split('\n').at(-1) ?? ''
  }

  /** A pod that runs a script with the tools at hand; with `outside` it has the network of its node. */
  async start(pod: string, script: string, outside: Namespace | null = null): Promise<void> {
    const namespace = outside ?? this.#dependent.namespace
    const { tag, tls } = this.#image
    const certificates = tls === null ? [] : [{ name: 'certificates', secret: { secretName: tls } }]
    await namespace.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: pod },
      spec: {
        restartPolicy: 'Never',
        terminationGracePeriodSeconds: 5,
        hostNetwork: outside !== null,
        securityContext: RESTRICTED_POD,
        containers: [
          {
            name: 'tools',
            image: `docker.io/apache/kafka:${tag}`,
            command: ['bash', '-ec', `${configuration(tls)}\n${script}`],
            env: Object.entries(SMALL).map(([name, value]) => ({ name, value })),
            securityContext: RESTRICTED_CONTAINER,
            volumeMounts: [
              { name: 'tmp', mountPath: '/tmp' },
              ...certificates.map(({ name }) => ({ name, mountPath: CERTIFICATES })),
            ],
          },
        ],
        volumes: [{ name: 'tmp', emptyDir: {} }, ...certificates],
      },
    })
    const running = '--for=jsonpath={.status.phase}=Running'
    await namespace.kubectl('wait', running, `pod/${pod}`, '--timeout=120s')
  }

  async #ready(): Promise<void> {
    this.#started ??= this.start(POD, 'touch /tmp/ready; sleep infinity & wait').then(async () => {
      const { namespace } = this.#dependent
      await waitFor('the tools are there', async () => {
        return (
          (await namespace.tryKubectl('exec', POD, '--', 'test', '-e', '/tmp/ready')).code === 0
        )
      })
    })
    await this.#started
  }
}

/** JVMs that live for seconds beside others. */
const SMALL = {
  KAFKA_HEAP_OPTS: '-Xmx96m',
  KAFKA_JVM_PERFORMANCE_OPTS: '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC',
  LOG_DIR: '/tmp',
  CLIENT,
}

/** Writes the files by which tools speak to brokers and to the tree. */
function configuration(tls: string | null): string {
  if (tls === null) return `touch ${CLIENT}`
  const pem = '/tmp/own.pem'
  const stores = (prefix: string) => [
    `${prefix}truststore.location=${CERTIFICATES}/ca.crt`,
    `${prefix}truststore.type=PEM`,
    `${prefix}keystore.location=${pem}`,
    `${prefix}keystore.type=PEM`,
  ]
  const tree = [
    'zookeeper.ssl.client.enable=true',
    'zookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty',
    ...stores('zookeeper.ssl.'),
  ]
  const lines = (all: readonly string[]) => all.map((line) => `'${line}'`).join(' ')
  return [
    `cat ${CERTIFICATES}/tls.key ${CERTIFICATES}/tls.crt > ${pem}`,
    `printf '%s\\n' ${lines(['security.protocol=SSL', ...stores('ssl.')])} > ${CLIENT}`,
    `printf '%s\\n' ${lines(tree)} > ${TREE_TLS}`,
  ].join('\n')
}
