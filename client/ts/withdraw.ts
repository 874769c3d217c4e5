// A withdrawal with viem's OP Stack actions: initiated on L2, proven on L1 against a dispute game of the proposer's, and
// finalised once that game has resolved and the portal's delays are over. No AGNT2 library is involved.
//
// Only the game is looked up here: viem's getGames asks games for l2SequenceNumber(), which came after the 1.2.0 that the
// chain uses, and takes any game of the right block, while a wrong proposal may be in between.
//
//   npx tsx client/ts/withdraw.ts --l1 http://127.0.0.1:8545 --rpc http://127.0.0.1:9545 --data devnet/.data --key 0x…
//
// Exits with 1 if anything is not as it should be.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  concat, createPublicClient, createWalletClient, defineChain, formatEther, http, keccak256, parseAbi, parseEther, slice, type Address, type Hex,
} from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { getWithdrawals, publicActionsL1, publicActionsL2, walletActionsL1, walletActionsL2 } from 'viem/op-stack'

const { values: flags } = parseArgs({
  options: {
    l1: { type: 'string', default: 'http://127.0.0.1:8545' },
    rpc: { type: 'string', default: 'http://127.0.0.1:9545' },
    data: { type: 'string', default: 'devnet/.data' },
    // The devnet's publicly known account agent3: its AGNT came by a deposit, so the portal can pay it back.
    key: { type: 'string', default: '0x4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356' },
    minutes: { type: 'string', default: '10' }, // for everything
  },
})

const VALUE = parseEther('0.125')
const POLL_MS = 1_000

const factoryAbi = parseAbi([
  'struct Game { uint256 index; bytes32 metadata; uint64 timestamp; bytes32 rootClaim; bytes extraData }',
  'function gameCount() view returns (uint256)',
  'function findLatestGames(uint32 gameType, uint256 start, uint256 n) view returns (Game[])',
])
const portalAbi = parseAbi([
  'function respectedGameType() view returns (uint32)',
  'function checkWithdrawal(bytes32 withdrawalHash, address proofSubmitter) view',
  'function finalizedWithdrawals(bytes32 withdrawalHash) view returns (bool)',
])

const deadline = setTimeout(() => {
  console.error(`not finished after ${flags.minutes} minutes`)
  process.exit(1)
}, Number(flags.minutes) * 60_000)

function check(ok: boolean, what: string): void {
  if (!ok) throw new Error(`mismatch: ${what}`)
  console.log(`  ✓ ${what}`)
}

async function main(): Promise<void> {
  const addresses = JSON.parse(readFileSync(join(flags.data, 'addresses.json'), 'utf8')) as Record<string, Address>
  const account = privateKeyToAccount(flags.key as `0x${string}`)
  const currency = { decimals: 18, name: 'Ether', symbol: 'ETH' }
  const id = async (url: string): Promise<number> => createPublicClient({ transport: http(url) }).getChainId()
  const l1 = defineChain({ id: await id(flags.l1), name: 'L1', nativeCurrency: currency, rpcUrls: { default: { http: [flags.l1] } } })
  const l2 = defineChain({
    id: await id(flags.rpc), name: 'AGNT2', nativeCurrency: { decimals: 18, name: 'AGNT', symbol: 'AGNT' },
    rpcUrls: { default: { http: [flags.rpc] } }, sourceId: l1.id,
    contracts: {
      portal: { [l1.id]: { address: addresses.OptimismPortalProxy } },
      disputeGameFactory: { [l1.id]: { address: addresses.DisputeGameFactoryProxy } },
    },
  })
  const onL1 = createPublicClient({ chain: l1, transport: http(), pollingInterval: POLL_MS }).extend(publicActionsL1())
  const onL2 = createPublicClient({ chain: l2, transport: http(), pollingInterval: POLL_MS }).extend(publicActionsL2())
  const walletL1 = createWalletClient({ account, chain: l1, transport: http() }).extend(walletActionsL1())
  const walletL2 = createWalletClient({ account, chain: l2, transport: http() }).extend(walletActionsL2())
  const to = privateKeyToAccount(generatePrivateKey()).address // nobody has paid it before

  console.log('initiate on L2')
  const before = await onL2.getBalance({ address: account.address })
  const request = { gas: 21_000n, to, value: VALUE } // gas of the call on L1
  const receipt = await onL2.waitForTransactionReceipt({ hash: await walletL2.initiateWithdrawal({ request }) })
  check(receipt.status === 'success', `${formatEther(VALUE)} AGNT in block ${receipt.blockNumber}`)
  check(before - (await onL2.getBalance({ address: account.address })) >= VALUE, 'the balance on L2 shrinks')
  const [withdrawal] = getWithdrawals(receipt)

  console.log('prove on L1')
  const portal = { abi: portalAbi, address: addresses.OptimismPortalProxy } as const
  const factory = { abi: factoryAbi, address: addresses.DisputeGameFactoryProxy } as const
  const gameType = await onL1.readContract({ ...portal, functionName: 'respectedGameType' })
  /** The arguments of the proof against the newest game that is about the withdrawal's block or a later one, and right. */
  async function build() {
    const count = await onL1.readContract({ ...factory, functionName: 'gameCount' })
    if (count === 0n) return undefined
    const newest = await onL1.readContract({ ...factory, functionName: 'findLatestGames', args: [gameType, count - 1n, count < 20n ? count : 20n] })
    for (const found of newest) {
      const game = { ...found, l2BlockNumber: BigInt(found.extraData), usesSuperRoots: false }
      if (game.l2BlockNumber < receipt.blockNumber) continue
      const args = await onL2.buildProveWithdrawal({ account, game, withdrawal })
      const { version, stateRoot, messagePasserStorageRoot, latestBlockhash } = args.outputRootProof
      if (keccak256(concat([version as Hex, stateRoot, messagePasserStorageRoot, latestBlockhash])) === game.rootClaim) return { game, args }
    }
    return undefined
  }
  let built = await build()
  for (; !built; built = await build()) await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  check(true, `game ${built.game.index} at ${slice(built.game.metadata, 12)} is about block ${built.game.l2BlockNumber}`)
  const proof = built.args
  const proven = await onL1.waitForTransactionReceipt({ hash: await walletL1.proveWithdrawal(proof) })
  check(proven.status === 'success', `proven in L1 block ${proven.blockNumber}, ${proven.gasUsed} gas`)

  console.log('finalise on L1')
  await onL1.waitToFinalize({ withdrawalHash: withdrawal.withdrawalHash, targetChain: l2 })
  // viem estimates when the game resolves; the challenger still has to resolve it.
  for (let ready = false; !ready; ) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    ready = await onL1.readContract({ ...portal, functionName: 'checkWithdrawal', args: [withdrawal.withdrawalHash, account.address] }).then(
      () => true,
      () => false,
    )
  }
  const finalized = await onL1.waitForTransactionReceipt({ hash: await walletL1.finalizeWithdrawal({ targetChain: l2, withdrawal }) })
  check(finalized.status === 'success', `finalised in L1 block ${finalized.blockNumber}`)
  check((await onL1.getBalance({ address: to })) === VALUE, `${to} has ${formatEther(VALUE)} ETH on L1`)
  check(await onL1.readContract({ ...portal, functionName: 'finalizedWithdrawals', args: [withdrawal.withdrawalHash] }), 'the portal says finalised')
}

main().then(
  () => clearTimeout(deadline),
  (e: unknown) => {
    console.error(e)
    process.exit(1)
  },
)
