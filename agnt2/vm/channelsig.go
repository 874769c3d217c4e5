package vm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// What the parties of a channel sign (docs/reference/eip712/channel.json has it for other tools). A typed message's fields
// are those of the operation's argument in their order.

var (
	channelTermsType = crypto.Keccak256([]byte("ChannelTerms(address agentA,address agentB,uint256 depositA,uint256 depositB,uint32 ttlSeconds,uint64 maxInteractions,uint32 heartbeatSeconds,address initiator,uint64 nonce,uint64 validUntil)"))
	channelStateType = crypto.Keccak256([]byte("ChannelState(bytes32 channelId,uint64 nonce,uint256 balanceA,uint256 balanceB,uint256 depositA,uint256 depositB,uint64 interactionCount,bool isFinal)"))
)

func wordOfAddress(a common.Address) []byte { return common.LeftPadBytes(a[:], 32) }

func wordOfWei(v *uint256.Int) []byte {
	b := v.Bytes32()
	return b[:]
}

// ChannelTermsDigest is the EIP-712 hash that both parties sign to open a channel.
func ChannelTermsDigest(t *abi.ChannelTerms, chainID uint64) common.Hash {
	return typedDigest(chainID, channelTermsType, wordOfAddress(t.AgentA), wordOfAddress(t.AgentB), wordOfWei(&t.DepositA), wordOfWei(&t.DepositB),
		wordOf(uint64(t.TtlSeconds)), wordOf(t.MaxInteractions), wordOf(uint64(t.HeartbeatSeconds)), wordOfAddress(t.Initiator), wordOf(t.Nonce),
		wordOf(t.ValidUntil))
}

// ChannelStateDigest is the EIP-712 hash that both parties sign of a channel's state.
func ChannelStateDigest(s *abi.ChannelState, chainID uint64) common.Hash {
	final := uint64(0)
	if s.IsFinal {
		final = 1
	}
	return typedDigest(chainID, channelStateType, s.ChannelId[:], wordOf(s.Nonce), wordOfWei(&s.BalanceA), wordOfWei(&s.BalanceB),
		wordOfWei(&s.DepositA), wordOfWei(&s.DepositB), wordOf(s.InteractionCount), wordOf(final))
}

// ChannelSigner recovers who signed a digest of the two above; zero if nobody.
func ChannelSigner(digest common.Hash, sig []byte) common.Address { return recoverSigner(digest, sig) }
