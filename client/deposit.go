package client

import (
	"context"
	"crypto/ecdsa"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum"
	gethabi "github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
)

// ErrDepositLog: a log is not a TransactionDeposited event of version 0.
var ErrDepositLog = errors.New("not a deposit event of version 0")

// DefaultDepositGas is the L2 gas limit of a deposit that only transfers.
const DefaultDepositGas = 100_000

var (
	depositTopic = crypto.Keccak256Hash([]byte("TransactionDeposited(address,address,uint256,bytes)"))
	portalABI    = mustABI(`[{"type":"function","name":"depositTransaction","stateMutability":"payable","inputs":[
		{"name":"_to","type":"address"},{"name":"_value","type":"uint256"},{"name":"_gasLimit","type":"uint64"},
		{"name":"_isCreation","type":"bool"},{"name":"_data","type":"bytes"}],"outputs":[]}]`)
)

func mustABI(json string) gethabi.ABI {
	a, err := gethabi.JSON(strings.NewReader(json))
	if err != nil {
		panic(err) // a constant of this package
	}
	return a
}

func keccak(b []byte) common.Hash { return crypto.Keccak256Hash(b) }

// L1 is a connection to the chain that AGNT2 settles on, with the portal that deposits go through.
type L1 struct {
	c      *Client
	portal common.Address
}

// DialL1 connects to an L1 endpoint; portal is OptimismPortal2's proxy.
func DialL1(ctx context.Context, cfg Config, portal common.Address) (*L1, error) {
	c, err := Dial(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("L1: %w", err)
	}
	return &L1{c: c, portal: portal}, nil
}

// Close ends the connection.
func (l *L1) Close() { l.c.Close() }

// Eth is the plain Ethereum client on the same connection.
func (l *L1) Eth() *ethclient.Client { return l.c.ec }

// Depositor deposits with one L1 key. It is safe for concurrent use.
type Depositor struct {
	l1 *L1
	s  *sender
}

// Depositor returns the handle of an L1 key.
func (l *L1) Depositor(key *ecdsa.PrivateKey) *Depositor {
	return &Depositor{l1: l, s: newSender(l.c.ec, key, l.c.chainID, l.c.poll, l.c.timeout)}
}

// Address of the depositor, on L1 and, because it is no contract, on L2 too.
func (d *Depositor) Address() common.Address { return d.s.from }

// DepositRequest is a transaction that L1 forces into L2. All of ValueWei is minted to the depositor on L2 and sent on.
type DepositRequest struct {
	To       common.Address // abi.Address makes Data a forced operation
	ValueWei *big.Int
	GasLimit uint64 // on L2; 0: DefaultDepositGas
	Data     []byte
}

// Deposit is what L1 took in.
type Deposit struct {
	L1Receipt *types.Receipt
	L2Hash    common.Hash // of the deposit transaction on L2
}

// Deposit calls OptimismPortal2.depositTransaction and waits for L1 to include it.
func (d *Depositor) Deposit(ctx context.Context, r DepositRequest) (*Deposit, error) {
	if r.GasLimit == 0 {
		r.GasLimit = DefaultDepositGas
	}
	if r.ValueWei == nil {
		r.ValueWei = new(big.Int)
	}
	data, err := portalABI.Pack("depositTransaction", r.To, r.ValueWei, r.GasLimit, false, append([]byte{}, r.Data...))
	if err != nil {
		return nil, fmt.Errorf("deposit: %w", err)
	}
	receipt, err := d.s.transact(ctx, txRequest{op: "depositTransaction", to: d.l1.portal, value: r.ValueWei, data: data})
	if err != nil {
		return nil, err
	}
	return d.depositIn(receipt)
}

// WaitDeposit waits until L2 includes a deposit. A deposit whose call fails is included too, keeps its mint, and gives an
// *OperationError beside the receipt.
func (c *Client) WaitDeposit(ctx context.Context, d *Deposit) (*types.Receipt, error) {
	var last error
	for {
		rctx, cancel := c.request(ctx)
		receipt, err := c.ec.TransactionReceipt(rctx, d.L2Hash)
		cancel()
		switch {
		case err == nil && receipt.Status != types.ReceiptStatusSuccessful:
			return receipt, &OperationError{Op: "deposit", Tx: d.L2Hash}
		case err == nil:
			return receipt, nil
		case !errors.Is(err, ethereum.NotFound):
			last = err
		}
		if err := pause(ctx, c.poll); err != nil {
			return nil, fmt.Errorf("deposit %v: %w", d.L2Hash, ended(ctx, last))
		}
	}
}

// DepositFromLog is the L2 transaction that a TransactionDeposited event of the portal stands for (OP specs, "Deposits").
func DepositFromLog(l *types.Log) (*types.DepositTx, error) {
	if len(l.Topics) != 4 || l.Topics[0] != depositTopic || l.Topics[3] != (common.Hash{}) {
		return nil, fmt.Errorf("%w: topics", ErrDepositLog)
	}
	// data = offset (32), length, packed fields, padding.
	if len(l.Data) < 64 || common.BytesToHash(l.Data[:32]) != common.BigToHash(big.NewInt(32)) {
		return nil, fmt.Errorf("%w: data", ErrDepositLog)
	}
	length := new(big.Int).SetBytes(l.Data[32:64])
	if !length.IsUint64() || length.Uint64() > uint64(len(l.Data)-64) || length.Uint64() < depositFixed {
		return nil, fmt.Errorf("%w: length %v", ErrDepositLog, length)
	}
	b := l.Data[64 : 64+length.Uint64()]
	tx := &types.DepositTx{
		SourceHash: depositSource(l.BlockHash, uint64(l.Index)),
		From:       common.BytesToAddress(l.Topics[1][12:]),
		Value:      new(big.Int).SetBytes(b[32:64]),
		Gas:        binary.BigEndian.Uint64(b[64:72]),
		Data:       append([]byte(nil), b[depositFixed:]...),
	}
	if mint := new(big.Int).SetBytes(b[:32]); mint.Sign() > 0 {
		tx.Mint = mint
	}
	if b[72] == 0 {
		to := common.BytesToAddress(l.Topics[2][12:])
		tx.To = &to
	}
	return tx, nil
}

// depositFixed is mint (32), value (32), gas limit (8) and the creation flag (1); the rest is call data.
const depositFixed = 32 + 32 + 8 + 1

// depositSource is the source hash of a user deposit: domain 0 over the L1 block and the log's place in it.
func depositSource(block common.Hash, logIndex uint64) common.Hash {
	var place, outer [64]byte
	copy(place[:32], block[:])
	binary.BigEndian.PutUint64(place[56:], logIndex)
	inner := keccak(place[:])
	copy(outer[32:], inner[:])
	return keccak(outer[:])
}
