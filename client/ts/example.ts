// Two agents do business with viem alone: one registers a capability, the other invokes it with escrowed payment, the
// first responds, and the amounts are checked to the wei. No AGNT2 library is involved, only the ABI in abi.ts and, for the
// payloads, two requests to the DA server's payload store.
//
//   npx tsx client/ts/example.ts --rpc http://127.0.0.1:9545 --da http://127.0.0.1:3100 --key 0x… --caller-key 0x…
//
// Exits with 1 if anything is not as it should be.
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import {
  BaseError, ContractFunctionRevertedError, bytesToHex, createPublicClient, createWalletClient, defineChain, encodeAbiParameters,
  formatEther, http, keccak256, parseEther, parseEventLogs, stringToBytes, toHex, webSocket, zeroHash,
  type Hash, type Hex, type TransactionReceipt,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { abi, address } from './abi'

const { values: flags } = parseArgs({
  options: {
    rpc: { type: 'string', default: 'http://127.0.0.1:9545' },
    da: { type: 'string', default: 'http://127.0.0.1:3100' },
    // The devnet's publicly known accounts agent4 and agent5.
    key: { type: 'string', default: '0xdbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97' },
    'caller-key': { type: 'string', default: '0x2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6' },
  },
})

const CAPABILITY = 'text.reverse'
const TEXT = 'agents call agents'
const PRICE = parseEther('0.001')
const STAKE = parseEther('0.02')
const TTL_SECONDS = 60
const TIMEOUT_MS = 90_000
const OK = 0 // IAGNT2.ResponseStatus.OK
const ACTIVE = 1 // IAGNT2.AgentStatus.Active
const LOCAL_STORE = 1 // DAPointer.backend: the DA server's own store

function check(ok: boolean, what: string): void {
  if (!ok) throw new Error(`mismatch: ${what}`)
  console.log(`  ✓ ${what}`)
}

/** Rejects if the promise takes too long, so that the example never hangs. */
function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${TIMEOUT_MS} ms`)), TIMEOUT_MS)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** The custom error that a failed call or dry run carries, decoded by the ABI. */
function customError(e: unknown): { name: string; args: readonly unknown[] } | undefined {
  if (!(e instanceof BaseError)) return undefined
  const reverted = e.walk((cause) => cause instanceof ContractFunctionRevertedError)
  if (!(reverted instanceof ContractFunctionRevertedError) || !reverted.data) return undefined
  return { name: reverted.data.errorName, args: reverted.data.args ?? [] }
}

async function put(payload: Uint8Array): Promise<{ contentHash: Hash; lengthBytes: number; backend: number; locator: Hash }> {
  const answer = await fetch(`${flags.da}/payload`, { method: 'POST', body: Buffer.from(payload) })
  if (!answer.ok) throw new Error(`payload store: ${answer.status} ${await answer.text()}`)
  const { hash } = (await answer.json()) as { hash: Hash }
  if (hash !== keccak256(payload)) throw new Error(`payload store says ${hash}, the payload is ${keccak256(payload)}`)
  return { contentHash: hash, lengthBytes: payload.length, backend: LOCAL_STORE, locator: zeroHash }
}

async function get(hash: Hash): Promise<Uint8Array> {
  const answer = await fetch(`${flags.da}/payload/${hash}`)
  if (!answer.ok) throw new Error(`payload ${hash}: ${answer.status}`)
  const payload = new Uint8Array(await answer.arrayBuffer())
  if (keccak256(payload) !== hash) throw new Error(`payload ${hash}: the store returned something else`)
  return payload
}

/** What a transaction cost besides its value: gas, and the L1 data fee that OP chains add to receipts. */
function fee(receipt: TransactionReceipt): bigint {
  const { l1Fee } = receipt as TransactionReceipt & { l1Fee?: Hex | bigint | null }
  return receipt.gasUsed * receipt.effectiveGasPrice + BigInt(l1Fee ?? 0)
}

async function main(): Promise<void> {
  const transport = flags.rpc.startsWith('ws') ? webSocket(flags.rpc) : http(flags.rpc)
  const id = await createPublicClient({ transport }).getChainId()
  const chain = defineChain({ id, name: 'AGNT2', nativeCurrency: { name: 'AGNT', symbol: 'AGNT', decimals: 18 }, rpcUrls: { default: { http: [flags.rpc] } } })
  const client = createPublicClient({ chain, transport, pollingInterval: 250, cacheTime: 0 })
  const wallet = (key: string) => createWalletClient({ chain, transport, account: privateKeyToAccount(key as Hex) })
  const callee = wallet(flags.key)
  const caller = wallet(flags['caller-key'])
  const contract = { address, abi } as const

  async function mined(what: string, hash: Hash): Promise<TransactionReceipt> {
    const receipt = await client.waitForTransactionReceipt({ hash, timeout: TIMEOUT_MS })
    if (receipt.status !== 'success') throw new Error(`${what}: transaction ${hash} failed`)
    console.log(`  ${what.padEnd(12)} ${hash}  block ${receipt.blockNumber}`)
    return receipt
  }

  console.log(`chain ${id}`)
  for (const [name, w] of [['callee', callee], ['caller', caller]] as const) {
    console.log(`  ${name.padEnd(12)} ${w.account.address}  ${formatEther(await client.getBalance({ address: w.account.address }))} AGNT`)
  }

  // REGISTER, unless an earlier run did.
  console.log('register')
  const offer = {
    name: CAPABILITY, endpoint: 'viem', inputSchemaHash: zeroHash, outputSchemaHash: zeroHash, priceWei: PRICE, latencyMsP99: 1000, class: 0, commitRequired: false,
  } as const
  const registration = ['viem example', '1', '', zeroHash, [offer], []] as const
  const existing = await client.readContract({ ...contract, functionName: 'getAgent', args: [callee.account.address] })
  if (existing.status !== ACTIVE) {
    await mined('register', await callee.writeContract({ ...contract, functionName: 'register', args: registration, value: STAKE }))
  } else {
    await mined('update', await callee.writeContract({ ...contract, functionName: 'updateCapabilities', args: [[offer], []] }))
  }

  // Registering twice fails in the dry run with a typed error; nothing is sent.
  const again = await client
    .simulateContract({ ...contract, functionName: 'register', args: registration, value: STAKE, account: callee.account })
    .then(() => undefined, customError)
  check(again?.name === 'AlreadyRegistered' && again.args[0] === callee.account.address, `registering twice: ${again?.name}(${again?.args.join(', ')})`)

  // The callee answers what is invoked on it.
  const answered = new Promise<TransactionReceipt>((resolve, reject) => {
    const unwatch = client.watchContractEvent({
      ...contract, eventName: 'Invoked', args: { callee: callee.account.address }, strict: true,
      onError: reject,
      onLogs: (logs) => {
        for (const { args } of logs) {
          if (args.caller.toLowerCase() !== caller.account.address.toLowerCase()) continue
          unwatch()
          respond(args.id, args.paramsHash).then(resolve, reject)
          return
        }
      },
    })
  })
  answered.catch(() => {}) // reported where it is awaited

  async function respond(interaction: Hash, paramsHash: Hash): Promise<TransactionReceipt> {
    const started = Date.now()
    const params = Buffer.from(await get(paramsHash)).toString()
    const da = await put(stringToBytes([...params].reverse().join('')))
    return mined('respond', await callee.writeContract({
      ...contract, functionName: 'respond',
      args: [interaction, da.contentHash, OK, 0, BigInt(Date.now() - started), BigInt(Date.now()), da, '0x'],
    }))
  }

  // INVOKE with escrow.
  console.log('invoke and respond')
  const before = {
    callee: await client.getBalance({ address: callee.account.address }),
    caller: await client.getBalance({ address: caller.account.address }),
    completed: (await client.readContract({ ...contract, functionName: 'getReputation', args: [callee.account.address] })).completed,
  }
  const salt = bytesToHex(randomBytes(32))
  const params = stringToBytes(TEXT)
  const da = await put(params)
  const { request, result: expectedId } = await client.simulateContract({
    ...contract, functionName: 'invoke', account: caller.account, value: PRICE,
    args: [salt, callee.account.address, keccak256(toHex(CAPABILITY)), da.contentHash, TTL_SECONDS, PRICE, zeroHash, zeroHash, da],
  })
  const invoked = await mined('invoke', await caller.writeContract(request))
  const [event] = parseEventLogs({ abi, eventName: 'Invoked', logs: invoked.logs })
  const interaction = event.args.id
  check(
    interaction === expectedId && interaction === keccak256(encodeAbiParameters([{ type: 'address' }, { type: 'bytes32' }], [caller.account.address, salt])),
    `interaction ${interaction}`,
  )

  // The caller waits for the outcome and checks it.
  const responded = await within('respond', answered)
  const [outcome] = parseEventLogs({ abi, eventName: 'Responded', logs: responded.logs })
  check(outcome.args.id === interaction && outcome.args.status === OK, 'status OK')
  check(outcome.args.paidWei === PRICE && outcome.args.refundedWei === 0n, `paid ${formatEther(PRICE)} AGNT`)
  const result = Buffer.from(await get(outcome.args.resultHash)).toString()
  check(result === [...TEXT].reverse().join(''), `result matches its hash: ${JSON.stringify(result)}`)

  const record = await client.readContract({ ...contract, functionName: 'getInteraction', args: [interaction] })
  check(record.resultHash === outcome.args.resultHash && record.paymentWei === PRICE, 'record on the chain')
  const reputation = await client.readContract({ ...contract, functionName: 'getReputation', args: [callee.account.address] })
  check(reputation.completed === before.completed + 1n, `completed ${before.completed} → ${reputation.completed}, score ${reputation.score}/10000`)
  const calleeChange = (await client.getBalance({ address: callee.account.address })) - before.callee
  const callerChange = (await client.getBalance({ address: caller.account.address })) - before.caller
  check(calleeChange === PRICE - fee(responded), `callee's balance changed by ${formatEther(calleeChange)} AGNT`)
  check(callerChange === -PRICE - fee(invoked), `caller's balance changed by ${formatEther(callerChange)} AGNT`)

  // A second response has no effect: the dry run says so.
  const twice = await client
    .simulateContract({ ...contract, functionName: 'respond', account: callee.account, args: [interaction, zeroHash, 1, 0, 0n, 0n, { contentHash: zeroHash, lengthBytes: 0, backend: 0, locator: zeroHash }, '0x'] })
    .then(() => undefined, customError)
  check(twice?.name === 'InteractionSettled', `responding twice: ${twice?.name}`)
  console.log('all as it should be')
}

main().then(
  () => process.exit(0),
  (e: unknown) => {
    const named = customError(e)
    console.error(named ? `failed: ${named.name}(${named.args.join(', ')})` : e)
    process.exit(1)
  },
)
