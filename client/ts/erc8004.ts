// Reads an agent from ERC-8004's Identity registry with viem and nothing but the standard's ABI: what any tool that knows
// ERC-8004 or ERC-721 sees of an AGNT2 chain.
//
//   npx tsx client/ts/erc8004.ts --rpc http://127.0.0.1:9545 --agent 0x…
//
// Without --agent it lists the registrations of the last --blocks blocks. Exits with 1 if anything is not as it should be.
import { parseArgs } from 'node:util'
import { createPublicClient, getAddress, http, isAddress, pad, parseAbi, zeroAddress, type Address } from 'viem'

const { values: flags } = parseArgs({
  options: {
    rpc: { type: 'string', default: 'http://127.0.0.1:9545' },
    agent: { type: 'string' },
    key: { type: 'string', multiple: true, default: [] as string[] }, // metadata keys to show
    blocks: { type: 'string', default: '1000' },
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

const client = createPublicClient({ transport: http(flags.rpc) })
const contract = { address: registry, abi } as const

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
  if (agents === 0n) throw new Error('an owner without agents')
}

async function main(): Promise<void> {
  const code = await client.getCode({ address: registry })
  if (!code) throw new Error(`nothing answers at ${registry}`)
  for (const id of ['0x01ffc9a7', '0x80ac58cd', '0x5b5e139f'] as const) { // ERC-165, ERC-721, ERC-721 Metadata
    const known = await client.readContract({ ...contract, functionName: 'supportsInterface', args: [id] })
    if (!known) throw new Error(`interface ${id} is not supported`)
  }
  const name = await client.readContract({ ...contract, functionName: 'name' })
  const symbol = await client.readContract({ ...contract, functionName: 'symbol' })
  console.log(`${name} (${symbol}) at ${registry}`)
  if (flags.agent !== undefined) {
    if (!isAddress(flags.agent)) throw new Error(`${flags.agent} is no address`)
    return show(flags.agent)
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
