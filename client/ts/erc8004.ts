// Reads an agent from ERC-8004's three registries with viem and nothing but the standard's ABI: what any tool that knows ERC-8004
// or ERC-721 sees of an AGNT2 chain. With keys it also writes to the Reputation and Validation registries, as any such tool would.
//
//   npx tsx client/ts/erc8004.ts --rpc http://127.0.0.1:9545 --agent 0x…
//   npx tsx client/ts/erc8004.ts --agent 0x… --client-key 0x… --endpoint agnt2:0x… --agent-key 0x… --validator-key 0x…
//
// Without --agent it lists the registrations of the last --blocks blocks. Exits with 1 if anything is not as it should be.
import { parseArgs } from 'node:util'
import {
  createPublicClient, createWalletClient, defineChain, getAddress, http, isAddress, keccak256, pad, parseAbi, stringToHex, zeroAddress,
  zeroHash, type Abi, type Address, type Hash, type Hex,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'

const { values: flags } = parseArgs({
  options: {
    rpc: { type: 'string', default: 'http://127.0.0.1:9545' },
    agent: { type: 'string' },
    key: { type: 'string', multiple: true, default: [] as string[] }, // metadata keys to show
    blocks: { type: 'string', default: '1000' },
    // Who writes. All three at once.
    'client-key': { type: 'string' }, // a caller of the agent, which rates it
    'agent-key': { type: 'string' }, // the agent, which answers and asks for a validation
    'validator-key': { type: 'string' }, // who validates
    endpoint: { type: 'string', default: '' }, // what is rated: agnt2:0x…, or empty for the latest interaction that counts
  },
})

const registry = '0x4200000000000000000000000000000000008004'
const abi = parseAbi([
  'event Registered(uint256 indexed agentId, string agentURI, address indexed owner)',
  'function ownerOf(uint256 tokenId) view returns (address)',
  'function balanceOf(address owner) view returns (uint256)',
  'function tokenURI(uint256 tokenId) view returns (string)',
  'function name() view returns (string)',
  'function symbol() view returns (string)',
  'function supportsInterface(bytes4 interfaceId) view returns (bool)',
  'function getAgentWallet(uint256 agentId) view returns (address)',
  'function getMetadata(uint256 agentId, string metadataKey) view returns (bytes)',
])
const reputation = {
  address: '0x4200000000000000000000000000000000008005',
  abi: parseAbi([
    'function giveFeedback(uint256 agentId, int128 value, uint8 valueDecimals, string tag1, string tag2, string endpoint, string feedbackURI, bytes32 feedbackHash)',
    'function revokeFeedback(uint256 agentId, uint64 feedbackIndex)',
    'function appendResponse(uint256 agentId, address clientAddress, uint64 feedbackIndex, string responseURI, bytes32 responseHash)',
    'function getIdentityRegistry() view returns (address)',
    'function getVersion() view returns (string)',
    'function getSummary(uint256 agentId, address[] clientAddresses, string tag1, string tag2) view returns (uint64 count, int128 summaryValue, uint8 summaryValueDecimals)',
    'function readFeedback(uint256 agentId, address clientAddress, uint64 feedbackIndex) view returns (int128 value, uint8 valueDecimals, string tag1, string tag2, bool isRevoked)',
    'function readAllFeedback(uint256 agentId, address[] clientAddresses, string tag1, string tag2, bool includeRevoked) view returns (address[] clients, uint64[] feedbackIndexes, int128[] values, uint8[] valueDecimals, string[] tag1s, string[] tag2s, bool[] revokedStatuses)',
    'function getResponseCount(uint256 agentId, address clientAddress, uint64 feedbackIndex, address[] responders) view returns (uint64 count)',
    'function getClients(uint256 agentId) view returns (address[])',
    'function getLastIndex(uint256 agentId, address clientAddress) view returns (uint64)',
    'event NewFeedback(uint256 indexed agentId, address indexed clientAddress, uint64 feedbackIndex, int128 value, uint8 valueDecimals, string indexed indexedTag1, string tag1, string tag2, string endpoint, string feedbackURI, bytes32 feedbackHash)',
    'event FeedbackRevoked(uint256 indexed agentId, address indexed clientAddress, uint64 indexed feedbackIndex)',
    'event ResponseAppended(uint256 indexed agentId, address indexed clientAddress, uint64 feedbackIndex, address indexed responder, string responseURI, bytes32 responseHash)',
  ]),
} as const
const validation = {
  address: '0x4200000000000000000000000000000000008006',
  abi: parseAbi([
    'function validationRequest(address validatorAddress, uint256 agentId, string requestURI, bytes32 requestHash)',
    'function validationResponse(bytes32 requestHash, uint8 response, string responseURI, bytes32 responseHash, string tag)',
    'function getIdentityRegistry() view returns (address)',
    'function getVersion() view returns (string)',
    'function getValidationStatus(bytes32 requestHash) view returns (address validatorAddress, uint256 agentId, uint8 response, bytes32 responseHash, string tag, uint256 lastUpdate)',
    'function getSummary(uint256 agentId, address[] validatorAddresses, string tag) view returns (uint64 count, uint8 averageResponse)',
    'function getAgentValidations(uint256 agentId) view returns (bytes32[] requestHashes)',
    'function getValidatorRequests(address validatorAddress) view returns (bytes32[] requestHashes)',
    'event ValidationRequest(address indexed validatorAddress, uint256 indexed agentId, string requestURI, bytes32 indexed requestHash)',
    'event ValidationResponse(address indexed validatorAddress, uint256 indexed agentId, bytes32 indexed requestHash, uint8 response, string responseURI, bytes32 responseHash, string tag)',
  ]),
} as const

const transport = http(flags.rpc)
const client = createPublicClient({ transport, pollingInterval: 250, cacheTime: 0 })
const contract = { address: registry, abi } as const

function check(ok: boolean, what: string): void {
  if (!ok) throw new Error(`mismatch: ${what}`)
  console.log(`  ✓ ${what}`)
}

async function show(agent: Address): Promise<void> {
  const id = BigInt(agent)
  const owner = await client.readContract({ ...contract, functionName: 'ownerOf', args: [id] })
  const wallet = await client.readContract({ ...contract, functionName: 'getAgentWallet', args: [id] })
  const uri = await client.readContract({ ...contract, functionName: 'tokenURI', args: [id] })
  const agents = await client.readContract({ ...contract, functionName: 'balanceOf', args: [owner] })
  console.log(`agent ${agent} (id ${id})`)
  console.log(`  owner   ${owner}, of ${agents} agents`)
  console.log(`  wallet  ${wallet === zeroAddress ? 'none' : wallet}`)
  console.log(`  URI     ${uri || 'none'}`)
  for (const key of flags.key) {
    const value = await client.readContract({ ...contract, functionName: 'getMetadata', args: [id, key] })
    console.log(`  ${key}: ${value}`)
  }
  const clients = await client.readContract({ ...reputation, functionName: 'getClients', args: [id] })
  if (clients.length > 0) {
    const [count, value, decimals] = await client.readContract({ ...reputation, functionName: 'getSummary', args: [id, clients, '', ''] })
    const responses = await client.readContract({ ...reputation, functionName: 'getResponseCount', args: [id, zeroAddress, 0n, []] })
    console.log(`  feedback of ${clients.length} clients: ${count} of mean ${Number(value) / 10 ** decimals}, ${responses} responses`)
  }
  const requests = await client.readContract({ ...validation, functionName: 'getAgentValidations', args: [id] })
  if (requests.length > 0) {
    const [count, average] = await client.readContract({ ...validation, functionName: 'getSummary', args: [id, [], ''] })
    console.log(`  validations: ${requests.length} asked for, ${count} answered, mean ${average}`)
  }
  if (agents === 0n) throw new Error('an owner without agents')
}

/** Feedback, an answer to it, a validation: every write of the two registries, and what the views say afterwards. */
async function write(agent: Address, keys: { client: Hex; agent: Hex; validator: Hex }): Promise<void> {
  const chain = defineChain({
    id: await client.getChainId(), name: 'AGNT2', nativeCurrency: { name: 'AGNT', symbol: 'AGNT', decimals: 18 }, rpcUrls: { default: { http: [flags.rpc] } },
  })
  const account = (key: Hex) => privateKeyToAccount(key)
  async function send(from: Hex, to: { address: Address; abi: Abi }, functionName: string, args: readonly unknown[]): Promise<void> {
    const wallet = createWalletClient({ chain, transport, account: account(from) })
    const { request } = await client.simulateContract({ ...to, functionName, args, account: wallet.account })
    const hash = await wallet.writeContract({ ...request, chain, account: wallet.account })
    const receipt = await client.waitForTransactionReceipt({ hash, timeout: 90_000 })
    check(receipt.status === 'success' && receipt.logs.some((l) => getAddress(l.address) === getAddress(to.address)), `${functionName} in block ${receipt.blockNumber}`)
  }
  const id = BigInt(agent)
  const who = account(keys.client).address
  const validator = account(keys.validator).address

  const last = await client.readContract({ ...reputation, functionName: 'getLastIndex', args: [id, who] })
  await send(keys.client, reputation, 'giveFeedback', [id, 8750n, 2, 'starred', 'e2e', flags.endpoint, '', zeroHash])
  const index = await client.readContract({ ...reputation, functionName: 'getLastIndex', args: [id, who] })
  check(index === last + 1n, `feedback ${index} of ${who}`)
  const again = await send(keys.client, reputation, 'giveFeedback', [id, 1n, 0, '', '', flags.endpoint, '', zeroHash]).then(() => true, () => false)
  check(!again, 'an interaction is rated once')
  await send(keys.agent, reputation, 'appendResponse', [id, who, index, 'ipfs://thanks', zeroHash])
  const one = await client.readContract({ ...reputation, functionName: 'readFeedback', args: [id, who, index] })
  check(one[0] === 8750n && one[1] === 2 && one[2] === 'starred' && one[3] === 'e2e' && !one[4], `read as given: ${one}`)
  const all = await client.readContract({ ...reputation, functionName: 'readAllFeedback', args: [id, [], 'starred', 'e2e', false] })
  check(all[0].includes(who) && all[2].includes(8750n), 'among all feedback')
  const summary = await client.readContract({ ...reputation, functionName: 'getSummary', args: [id, [who], 'starred', 'e2e'] })
  check(summary[0] >= 1n && summary[1] === 8750n && summary[2] === 2, `summary ${summary}`)
  const responses = await client.readContract({ ...reputation, functionName: 'getResponseCount', args: [id, who, index, [agent]] })
  check(responses === 1n, 'one response of the agent')

  const work: Hash = keccak256(stringToHex(`work ${Date.now()}`))
  await send(keys.agent, validation, 'validationRequest', [validator, id, 'ipfs://work', work])
  await send(keys.validator, validation, 'validationResponse', [work, 90, 'ipfs://evidence', zeroHash, 'e2e'])
  const status = await client.readContract({ ...validation, functionName: 'getValidationStatus', args: [work] })
  check(status[0] === validator && status[1] === id && status[2] === 90 && status[4] === 'e2e' && status[5] > 0n, 'validation as answered')
  const [count, average] = await client.readContract({ ...validation, functionName: 'getSummary', args: [id, [validator], 'e2e'] })
  check(count >= 1n && average === 90, `mean of ${count} validations ${average}`)
  const asked = await client.readContract({ ...validation, functionName: 'getValidatorRequests', args: [validator] })
  check(asked.includes(work), "in the validator's list")
  await send(keys.client, reputation, 'revokeFeedback', [id, index])
  const revoked = await client.readContract({ ...reputation, functionName: 'readFeedback', args: [id, who, index] })
  check(revoked[4], 'feedback revoked')
}

async function main(): Promise<void> {
  for (const address of [registry, reputation.address, validation.address] as const) {
    const code = await client.getCode({ address })
    if (!code) throw new Error(`nothing answers at ${address}`)
  }
  for (const id of ['0x01ffc9a7', '0x80ac58cd', '0x5b5e139f'] as const) { // ERC-165, ERC-721, ERC-721 Metadata
    const known = await client.readContract({ ...contract, functionName: 'supportsInterface', args: [id] })
    if (!known) throw new Error(`interface ${id} is not supported`)
  }
  for (const r of [reputation, validation] as const) {
    const identity = await client.readContract({ address: r.address, abi: reputation.abi, functionName: 'getIdentityRegistry' })
    if (getAddress(identity) !== getAddress(registry)) throw new Error(`${r.address} is about ${identity}`)
  }
  const name = await client.readContract({ ...contract, functionName: 'name' })
  const symbol = await client.readContract({ ...contract, functionName: 'symbol' })
  const version = await client.readContract({ ...reputation, functionName: 'getVersion' })
  console.log(`${name} (${symbol}) at ${registry}, registries of version ${version}`)
  if (flags.agent !== undefined) {
    if (!isAddress(flags.agent)) throw new Error(`${flags.agent} is no address`)
    const agent = getAddress(flags.agent)
    const [c, a, v] = [flags['client-key'], flags['agent-key'], flags['validator-key']]
    if (c && a && v) await write(agent, { client: c as Hex, agent: a as Hex, validator: v as Hex })
    return show(agent)
  }
  const latest = await client.getBlockNumber()
  const span = BigInt(flags.blocks)
  const logs = await client.getContractEvents({
    ...contract, eventName: 'Registered', fromBlock: latest > span ? latest - span : 0n, toBlock: latest, strict: true,
  })
  console.log(`${logs.length} registrations in the last ${span} blocks`)
  for (const log of logs) await show(getAddress(pad(`0x${log.args.agentId.toString(16)}`, { size: 20 })))
}

main().catch((e: unknown) => {
  console.error(e instanceof Error ? e.message : e)
  process.exit(1)
})
