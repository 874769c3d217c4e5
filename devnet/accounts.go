package devnet

import (
	"crypto/ecdsa"
	"encoding/hex"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Account is one of the publicly known development accounts (mnemonic "test test test … junk"). Each has 10,000 ETH on the
// devnet's L1.
type Account struct {
	Name       string         `json:"-"`
	Address    common.Address `json:"address"`
	PrivateKey string         `json:"privateKey"` // hexadecimal with 0x

	Key *ecdsa.PrivateKey `json:"-"`
}

// Names of the accounts by what they do.
const (
	Deployer   = "deployer"   // deploys and owns the contracts, is guardian, pays for Fund
	Proposer   = "proposer"   // proposes output roots
	Batcher    = "batcher"    // posts batches, holds the bond
	Sequencer  = "sequencer"  // signs gossiped blocks
	Challenger = "challenger" // plays dispute games
	// The agents own AGNT on L2 from a deposit of their own.
	Agent1, Agent2, Agent3, Agent4, Agent5 = "agent1", "agent2", "agent3", "agent4", "agent5"
)

var accounts = func() []Account {
	var out []Account
	for _, a := range []struct{ name, key string }{
		{Deployer, "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"},
		{Proposer, "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"},
		{Batcher, "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"},
		{Sequencer, "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"},
		{Challenger, "47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a"},
		{Agent1, "8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba"},
		{Agent2, "92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e"},
		{Agent3, "4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356"},
		{Agent4, "dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97"},
		{Agent5, "2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6"},
	} {
		raw, err := hex.DecodeString(a.key)
		if err != nil {
			panic(err)
		}
		k, err := crypto.ToECDSA(raw)
		if err != nil {
			panic(err)
		}
		out = append(out, Account{Name: a.name, Address: crypto.PubkeyToAddress(k.PublicKey), PrivateKey: "0x" + a.key, Key: k})
	}
	return out
}()

// Accounts returns all development accounts in the mnemonic's order.
func Accounts() []Account { return append([]Account(nil), accounts...) }

// AccountOf returns the account with a name of the constants above; it panics on any other.
func AccountOf(name string) Account {
	for _, a := range accounts {
		if a.Name == name {
			return a
		}
	}
	panic("devnet: no account named " + name)
}

// Agents returns the accounts that own AGNT on L2.
func Agents() []Account { return Accounts()[5:] }
