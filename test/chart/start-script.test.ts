import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { PermitPipe } from '../../agent/permit-pipe.ts'
import { runs, titleOf } from '../support/toolchain.ts'
import { waitFor } from '../support/wait-for.ts'
import { type ConfigMap, pick } from './objects.ts'
import { render } from './render.ts'
import { helmTool } from './tools.ts'

const bash = runs('bash', '--version') ? null : 'bash is missing'
const helm = bash === null ? helmTool() : { found: null, reason: bash }

const started: ChildProcess[] = []
const places: string[] = []
afterEach(() => {
  for (const child of started.splice(0)) {
    // With the engine behind it.
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      process.kill(-child.pid, 'SIGKILL')
    }
  }
  for (const place of places.splice(0)) rmSync(place, { recursive: true, force: true })
})

/** What an engine's container has, below a directory of this machine; programs note how they were called. */
function container(component: string, set: Record<string, unknown> = {}, pod = 'test-0') {
  const root = mkdtempSync(join(tmpdir(), 'quorate-container-'))
  places.push(root)
  const { data } = pick<ConfigMap>(
    render({ set: { [`${component}.enabled`]: true, ...set } }),
    'ConfigMap',
    `test-quorate-${component.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}-config`,
  )
  const here = (text: string) =>
    text.replace(
      /(?<![\w.])\/(etc\/quorate|run\/quorate|opt\/kafka|var\/lib\/mysql|launch\.sh|agraph)/g,
      `${root}/$1`,
    )
  const write = (path: string, text: string) => {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), text)
    chmodSync(join(root, path), 0o755)
  }
  for (const [name, text] of Object.entries(data)) write(`etc/quorate/${name}`, here(text))
  const calls = join(root, 'calls')
  const engine = `#!/bin/bash
trap 'exit 7' TERM
env > ${root}/environment
echo "$(basename "$0") $*" >> ${calls}
[ "$2" = format ] && exit 0
sleep 60 & wait
`
  const programs = ['kafka-server-start.sh', 'kafka-run-class.sh'].map((name) => `bin/${name}`)
  for (const path of programs) write(`opt/kafka/${path}`, engine)
  write('bin/mongod', engine)
  write('bin/mariadb-install-db', `#!/bin/bash\necho "$(basename "$0") $*" >> ${calls}\n`)
  // With words on its input it is only there for the users.
  const withInput = `#!/bin/bash
case " $* " in *--bootstrap*) echo "mariadbd $*" >> ${calls}; cat > ${root}/users.sql; exit ;; esac
case " $* " in *--wsrep-recover*)
  echo "mariadbd --wsrep-recover" >> ${calls}
  for word in "$@"; do case $word in --log-error=*) log=\${word#*=} ;; esac; done
  echo "WSREP: Recovered position: 01234567-89ab-cdef-0123-456789abcdef:42" > "$log"
  exit ;;
esac
`
  write('bin/mariadbd', engine.replace('#!/bin/bash\n', withInput))
  write('launch.sh', engine.replace('/bin/bash', '/bin/sh'))
  write('agraph/bin/agraph-control', serverBeside(root))
  write('etc/quorate-secrets/password', 'graph-secret')
  for (const name of ['superuser', 'replication', 'patroni', 'root', 'agent']) {
    write(`etc/quorate-secrets/${name}-password`, `${name}'s`)
  }
  write('etc/quorate-secrets/copy-password', 'c0py')
  mkdirSync(join(root, 'run/quorate'), { recursive: true })
  mkdirSync(join(root, 'var/lib/mysql'), { recursive: true })
  const textOf = (path: string) =>
    existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : ''
  return {
    root,
    write,
    fifo: join(root, 'run/quorate/permit'),
    start: (...args: string[]) => {
      const child = spawn('bash', [join(root, 'etc/quorate/start.sh'), ...args], {
        detached: true,
        stdio: 'ignore',
        env: {
          PATH: `${root}/bin:${process.env['PATH']}`,
          POD_NAME: pod,
          POD_IP: '10.0.0.7',
          KUBERNETES_SERVICE_HOST: '10.0.0.1',
        },
      })
      started.push(child)
      return child
    },
    calls: () =>
      textOf('calls')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.replaceAll(root, '')),
    textOf: (path: string) => textOf(path).replaceAll(root, ''),
  }
}

/** A program that starts a server beside itself, with a note of its process, and stops it by that. */
function serverBeside(root: string): string {
  return `#!/bin/bash
echo "$(basename "$0") $*" >> ${root}/calls
case "$3" in
  start)
    cp "$2" ${root}/configuration
    stat -c %a "$2" > ${root}/mode
    ( trap 'exit 0' TERM; sleep 60 & wait ) > /dev/null 2>&1 &
    echo $! > ${root}/agraph/data/agraph.pid
    echo listens >> ${root}/agraph/data/log/agraph.log
    ;;
  stop) kill "$(cat ${root}/agraph/data/agraph.pid)" ;;
esac
`
}

/** Starts it and gives it this permit, as the agent does. */
async function permitted(box: ReturnType<typeof container>, line: string, ...args: string[]) {
  const pipe = new PermitPipe(box.fifo)
  const child = box.start(...args)
  await waitFor('the container asks', () => pipe.look())
  expect(pipe.grant(line)).toBe(true)
  return { child, pipe }
}

/** Nobody reads a pipe that cannot be opened for writing at once. */
async function hasNoReader(fifo: string): Promise<boolean> {
  try {
    await (await open(fifo, constants.O_WRONLY | constants.O_NONBLOCK)).close()
    return false
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') return true
    throw error
  }
}

describe.skipIf(helm.found === null)(titleOf('the start of an engine', helm), () => {
  it('is MongoDB with the words of the permit, which no file name takes for a pattern', async () => {
    const box = container('mongodb')
    const { child } = await permitted(box, '--replSet rs0 --dbpath /[a-z]*', '--verbose')
    await waitFor('mongod runs', () => box.calls().length > 0)
    expect(box.calls()).toEqual([
      'mongod --config /etc/quorate/mongod.conf --replSet rs0 --dbpath /[a-z]* --verbose',
    ])
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([7, null])
  })

  it('is AllegroGraph beside the shell, which ends as it does and stops it by its own program', async () => {
    const box = container('allegrograph', { 'allegrograph.config': { Backends: 2 } })
    const { child, pipe } = await permitted(box, 'resume')
    await waitFor('the server runs', () => box.textOf('agraph/data/agraph.pid') !== '')
    expect(box.calls()).toEqual(['agraph-control --config /run/quorate/agraph.cfg start'])
    const lines = box.textOf('configuration').split('\n')
    expect(lines).toContain('Port 10035')
    expect(lines).toContain('Backends 2')
    expect(lines).toContain('SuperUser admin:graph-secret')
    expect(box.textOf('mode').trim()).toBe('600')
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(box.calls().at(-1)).toBe('agraph-control --config /run/quorate/agraph.cfg stop')
    pipe.close()
  })

  it('ends when AllegroGraph does', async () => {
    const box = container('allegrograph')
    const { child, pipe } = await permitted(box, 'join')
    await waitFor('the server runs', () => box.textOf('agraph/data/agraph.pid') !== '')
    const pid = Number(box.textOf('agraph/data/agraph.pid'))
    expect(pid).toBeGreaterThan(1)
    process.kill(pid, 'SIGKILL')
    expect((await once(child, 'exit'))[1]).toBeNull()
    pipe.close()
  })

  it('waits for a permit, and stops at once while it waits', async () => {
    const box = container('mongodb')
    const pipe = new PermitPipe(box.fifo)
    const child = box.start()
    await waitFor('the container asks', () => pipe.look())
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([143, null])
    expect(box.calls()).toEqual([])
    pipe.close()
  })

  it('takes no half of a line, and asks again when the agent went away in the middle', async () => {
    const box = container('mongodb')
    new PermitPipe(box.fifo).close()
    box.start()
    const first = await open(box.fifo, 'w')
    await first.write('--dbpath /ha')
    await first.close()
    await waitFor('the container has seen the end', () => hasNoReader(box.fifo))
    const pipe = new PermitPipe(box.fifo)
    await waitFor('the container asks again', () => pipe.look())
    expect(box.calls()).toEqual([])
    pipe.grant('--dbpath /data')
    await waitFor('mongod runs', () => box.calls().length > 0)
    expect(box.calls()).toEqual(['mongod --config /etc/quorate/mongod.conf --dbpath /data'])
  })

  it('ends with its engine, and by what ended that', async () => {
    const box = container('mongodb')
    const { child } = await permitted(box, 'x')
    await waitFor('mongod runs', () => box.calls().length > 0)
    const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
    process.kill(Number(children.trim().split(' ')[0]), 'SIGKILL')
    expect(await once(child, 'exit')).toEqual([137, null])
  })

  it.each(['kraft', 'zookeeper'])(
    'is not waited for longer, when it was told to stop and nobody can let it go: %s',
    async (mode) => {
      const box = container('kafka', { 'kafka.mode': mode })
      box.write(
        'opt/kafka/bin/kafka-server-start.sh',
        `#!/bin/bash\ntrap 'echo told >> ${box.root}/calls' TERM\necho runs >> ${box.root}/calls\nfor (( ; ; )); do sleep 0.1; done\n`,
      )
      const { child } = await permitted(box, 'node.id=0')
      await waitFor('Kafka runs', () => box.calls().includes('runs'))
      child.kill('SIGTERM')
      await waitFor('Kafka is told', () => box.calls().includes('told'))
      expect(child.exitCode).toBeNull()
      box.write('run/quorate/leaderless', '')
      expect(await once(child, 'exit')).toEqual([137, null])
    },
  )

  it('is Kafka on the tree, with what is this broker’s alone', async () => {
    const box = container('kafka', { 'kafka.mode': 'zookeeper' })
    await permitted(box, '--override broker.id=0 --override advertised.listeners=CLIENT://a:9092')
    await waitFor('Kafka runs', () => box.calls().length > 0)
    expect(box.calls()).toEqual([
      'kafka-server-start.sh /etc/quorate/server.properties --override broker.id=0 --override advertised.listeners=CLIENT://a:9092',
    ])
    expect(box.textOf('etc/quorate/server.properties')).toContain(
      'zookeeper.connect=test-quorate-cs.default.svc.cluster.local:2181/test-quorate-kafka\n',
    )
  })

  it('is Kafka of its own: formatted where the permit says so, a controller by its ordinal', async () => {
    const box = container('kafka', { 'kafka.replicaCount': 5 }, 'test-quorate-kafka-2')
    await permitted(box, '--format ID --no-initial-controllers --override node.id=2')
    await waitFor('Kafka runs', () => box.calls().length > 1)
    expect(box.calls()).toEqual([
      'kafka-run-class.sh kafka.tools.StorageTool format --config /run/quorate/server.properties --cluster-id ID --no-initial-controllers',
      'kafka-server-start.sh /run/quorate/server.properties',
    ])
    const properties = box.textOf('run/quorate/server.properties').split('\n')
    expect(properties).toContain('node.id=2')
    expect(properties).toContain('process.roles=broker,controller')
    expect(properties.findLast((line) => line.startsWith('listeners='))).toBe(
      'listeners=CLIENT://:9092,CONTROLLER://test-quorate-kafka-2.test-quorate-kafka-hs.default.svc.cluster.local:9093',
    )
  })

  it('is a broker alone beyond the controllers, and formats nothing unasked', async () => {
    const box = container('kafka', { 'kafka.replicaCount': 5 }, 'test-quorate-kafka-3')
    await permitted(box, '--override node.id=3')
    await waitFor('Kafka runs', () => box.calls().length > 0)
    expect(box.calls()).toEqual(['kafka-server-start.sh /run/quorate/server.properties'])
    const properties = box.textOf('run/quorate/server.properties').split('\n')
    expect(properties.slice(-3)).toEqual(['process.roles=broker', 'node.id=3', ''])
  })

  it('is a broker alone where controllers are a set of their own', async () => {
    const box = container('kafka', { 'kafkaControllers.enabled': true }, 'test-quorate-kafka-0')
    await permitted(box, '--format ID --no-initial-controllers node.id=0')
    await waitFor('Kafka runs', () => box.calls().length > 1)
    const properties = box.textOf('run/quorate/server.properties').split('\n')
    expect(properties.slice(-3)).toEqual(['process.roles=broker', 'node.id=0', ''])
    expect(properties).toContain('listeners=CLIENT://:9092')
  })

  it('is a controller alone, formatted where the permit says so, with what brokers are told of topics', async () => {
    const set = { 'kafka.enabled': true, 'kafkaControllers.config': { 'min.insync.replicas': 1 } }
    const box = container('kafkaControllers', set)
    const own = 'node.id=1000 advertised.listeners=CONTROLLER://c-0:9093'
    const { child } = await permitted(box, `--format ID --standalone ${own}`)
    await waitFor('Kafka runs', () => box.calls().length > 1)
    expect(box.calls()).toEqual([
      'kafka-run-class.sh kafka.tools.StorageTool format --config /run/quorate/server.properties --cluster-id ID --standalone',
      'kafka-server-start.sh /run/quorate/server.properties',
    ])
    const properties = box.textOf('run/quorate/server.properties').split('\n')
    expect(properties.slice(-3)).toEqual([...own.split(' '), ''])
    for (const line of [
      'process.roles=controller',
      'listeners=CONTROLLER://:9093',
      'default.replication.factor=3',
      'min.insync.replicas=1',
    ]) {
      expect(properties).toContain(line)
    }
    expect(properties.join()).not.toContain('inter.broker')
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([7, null])
  })

  it('is PostgreSQL with its passwords, one of them within the configuration of Patroni', async () => {
    const box = container('postgresql')
    await permitted(box, 'join')
    await waitFor('Patroni runs', () => box.calls().length > 0)
    expect(box.calls()).toEqual(['launch.sh init'])
    const environment = box.textOf('environment')
    expect(environment).toContain("PGPASSWORD_SUPERUSER=superuser's\n")
    expect(environment).toContain("PGPASSWORD_STANDBY=replication's\n")
    expect(environment).toContain("    password: 'patroni''s'\n")
    expect(environment).not.toContain('KUBERNETES_SERVICE_HOST')
  })

  it('is PostgreSQL whose passwords are what they are, whatever characters they have', async () => {
    const box = container('postgresql')
    const passwords = {
      superuser: `a&'"<b>\\\\&`,
      replication: 'PATRONI_PASSWORD: $x `x`',
      patroni: `SUPERUSER_PASSWORD'#`,
    }
    for (const [name, password] of Object.entries(passwords)) {
      box.write(`etc/quorate-secrets/${name}-password`, password)
    }
    box.write('launch.sh', `#!/bin/sh\nprintf %s "$SPILO_CONFIGURATION" > ${box.root}/spilo.yaml\n`)
    await permitted(box, 'join')
    await waitFor('Patroni runs', () => box.textOf('spilo.yaml') !== '')
    expect(parse(box.textOf('spilo.yaml'))).toMatchObject({
      postgresql: {
        authentication: {
          superuser: { password: passwords.superuser },
          replication: { password: passwords.replication },
        },
        parameters: { shared_buffers: '256MB' },
      },
      restapi: { authentication: { username: 'quorate', password: passwords.patroni } },
    })
  })

  it('is MariaDB, after the users of a new cluster were made', async () => {
    const set = { 'galera.auth.users': { app: { grants: ['ALL ON app.*'] } } }
    const box = container('galera', set, 'test-2')
    box.write('etc/quorate-secrets/user-app', 'back\\\\slash')
    const { child } = await permitted(
      box,
      'found --wsrep-new-cluster --wsrep-cluster-address=gcomm://a',
    )
    await waitFor('mariadbd runs', () => box.calls().length === 3)
    const [, users, server] = box.calls()
    expect(users).toMatch(/--wsrep-on=OFF .*--bootstrap$/)
    expect(server).toBe(
      'mariadbd --defaults-file=/etc/quorate/my.cnf --server-id=3 --wsrep-node-name=test-2 --wsrep-node-address=10.0.0.7 --wsrep-new-cluster --wsrep-cluster-address=gcomm://a',
    )
    const sql = box.textOf('users.sql')
    expect(sql).toContain("ALTER USER root@localhost IDENTIFIED BY 'root''s';\n")
    expect(sql).toContain("CREATE USER 'quorate-agent'@localhost IDENTIFIED BY 'agent''s';\n")
    expect(sql).toContain("ALTER USER 'app'@'%' IDENTIFIED BY 'back\\\\\\\\slash';\n")
    expect(box.textOf('run/quorate/copy.cnf')).toContain('wsrep-sst-auth = quorate-copy:c0py\n')
    expect(box.textOf('run/quorate/galera-position')).toBe('')
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([7, null])
  })

  it('says where the data of a MariaDB that was killed ends, before it asks', async () => {
    const box = container('galera')
    const state = 'uuid: 01234567-89ab-cdef-0123-456789abcdef\nseqno: -1\nsafe_to_bootstrap: 0\n'
    box.write('var/lib/mysql/data/grastate.dat', state)
    const { child } = await permitted(box, 'start --wsrep-cluster-address=gcomm://a')
    await waitFor('mariadbd runs', () => box.calls().length === 2)
    expect(box.calls()[0]).toBe('mariadbd --wsrep-recover')
    expect(box.textOf('run/quorate/galera-position')).toBe(
      '01234567-89ab-cdef-0123-456789abcdef:42\n',
    )
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([7, null])
  })
})
