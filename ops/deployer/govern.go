package deployer

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"

	gethabi "github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/bounds"
	"github.com/agnt2/agnt2/agnt2/record"
)

// ErrParameter says that a change of governance parameters names none, or a value that is out of range.
var ErrParameter = errors.New("governance parameter")

// governL2Gas covers setParams and setPolicy on L2, whatever their prices are by default.
const governL2Gas = 200_000

// Change sets parameters, named as in docs/spec/parameters.md, to values: numbers, addresses, comma-separated lists. It returns
// the calls that governance has to deposit: setParams, setPolicy, or both.
func Change(params *record.Params, policy *record.Policy, values map[string]string) (calls [][]byte, err error) {
	oldParams, oldPolicy := params.Encode(), policy.Encode()
	for _, name := range sortedKeys(values) {
		known := false
		for _, rec := range []any{params, policy} {
			f := reflect.ValueOf(rec).Elem().FieldByNameFunc(func(field string) bool {
				return strings.ToLower(field[:1])+field[1:] == name
			})
			if f.IsValid() {
				known = true
				if err := setField(f, values[name]); err != nil {
					return nil, fmt.Errorf("%w %s: %w", ErrParameter, name, err)
				}
			}
		}
		if !known {
			return nil, fmt.Errorf("%w: there is no %q", ErrParameter, name)
		}
	}
	for _, field := range []string{bounds.Params(params), bounds.Policy(policy)} {
		if field != "" {
			return nil, fmt.Errorf("%w %s is out of range", ErrParameter, field)
		}
	}
	if !slices.Equal(oldParams, params.Encode()) {
		calls = append(calls, (&abi.SetParamsCall{Params: abi.IRecordsParams(*params)}).Encode())
	}
	if !slices.Equal(oldPolicy, policy.Encode()) {
		calls = append(calls, (&abi.SetPolicyCall{Policy: abi.IRecordsPolicy(*policy)}).Encode())
	}
	return calls, nil
}

func sortedKeys(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func setField(f reflect.Value, text string) error {
	switch x := f.Addr().Interface().(type) {
	case *common.Address:
		if !common.IsHexAddress(text) {
			return fmt.Errorf("%q is not an address", text)
		}
		*x = common.HexToAddress(text)
		return nil
	case *uint256.Int:
		v, ok := new(big.Int).SetString(text, 0)
		if !ok || v.Sign() < 0 || x.SetFromBig(v) {
			return fmt.Errorf("%q is not an amount", text)
		}
		return nil
	}
	if f.Kind() == reflect.Array {
		items := strings.Split(text, ",")
		if len(items) != f.Len() {
			return fmt.Errorf("%d values, not %d", len(items), f.Len())
		}
		for i, item := range items {
			if err := setField(f.Index(i), item); err != nil {
				return err
			}
		}
		return nil
	}
	v, err := strconv.ParseUint(text, 0, f.Type().Bits())
	if err != nil {
		return err
	}
	f.SetUint(v)
	return nil
}

// Governor changes parameters of a running chain by deposits of the governance key.
type Governor struct {
	L1Chain *ethclient.Client
	Engine  *rpc.Client
	Portal  common.Address // OptimismPortalProxy
	Key     *ecdsa.PrivateKey
}

// ParseChange reads NAME=VALUE arguments.
func ParseChange(args []string) (map[string]string, error) {
	values := map[string]string{}
	for _, a := range args {
		name, value, ok := strings.Cut(a, "=")
		if _, twice := values[name]; !ok || twice {
			return nil, fmt.Errorf("%w: %q is not NAME=VALUE, or named twice", ErrParameter, a)
		}
		values[name] = value
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("%w: none is named", ErrParameter)
	}
	return values, nil
}

// records are the parameters at the head.
func (g *Governor) records(ctx context.Context) (params record.Params, policy record.Policy, err error) {
	for key, decode := range map[record.Key]func([]byte) error{
		record.ParamsKey: func(b []byte) (err error) { params, err = record.DecodeParams(b); return err },
		record.PolicyKey: func(b []byte) (err error) { policy, err = record.DecodePolicy(b); return err },
	} {
		var answer struct {
			Value hexutil.Bytes `json:"value"`
		}
		if err := g.Engine.CallContext(ctx, &answer, "agnt2_getRecord", common.Hash(key)); err != nil {
			return params, policy, fmt.Errorf("%v: %w", key, err)
		}
		if err := decode(answer.Value); err != nil {
			return params, policy, fmt.Errorf("%v: %w", key, err)
		}
	}
	return params, policy, nil
}

// Has says whether the head's parameters have the values.
func (g *Governor) Has(ctx context.Context, values map[string]string) (bool, error) {
	params, policy, err := g.records(ctx)
	if err != nil {
		return false, err
	}
	calls, err := Change(&params, &policy, values)
	return len(calls) == 0, err
}

// Set deposits a change of parameters and returns the transactions' hashes without waiting for L1.
func (g *Governor) Set(ctx context.Context, values map[string]string) (sent []common.Hash, err error) {
	params, policy, err := g.records(ctx)
	if err != nil {
		return nil, err
	}
	from := crypto.PubkeyToAddress(g.Key.PublicKey)
	if policy.Governance != from {
		return nil, fmt.Errorf("governance is %s, the key is that of %s", policy.Governance, from)
	}
	calls, err := Change(&params, &policy, values)
	if err != nil {
		return nil, err
	}
	for _, c := range calls {
		hash, err := g.deposit(ctx, from, c)
		if err != nil {
			return sent, err
		}
		sent = append(sent, hash)
	}
	return sent, nil
}

var depositTransaction = func() gethabi.Method {
	parsed, err := gethabi.JSON(strings.NewReader(`[{"type":"function","name":"depositTransaction","inputs":[{"name":"_to","type":"address"},` +
		`{"name":"_value","type":"uint256"},{"name":"_gasLimit","type":"uint64"},{"name":"_isCreation","type":"bool"},{"name":"_data","type":"bytes"}]}]`))
	if err != nil {
		panic(err) // a constant
	}
	return parsed.Methods["depositTransaction"]
}()

func (g *Governor) deposit(ctx context.Context, from common.Address, data []byte) (hash common.Hash, err error) {
	fail := func(what string, err error) (common.Hash, error) { return hash, fmt.Errorf("%s: %w", what, err) }
	args, err := depositTransaction.Inputs.Pack(abi.Address, new(big.Int), uint64(governL2Gas), false, data)
	if err != nil {
		return fail("deposit", err)
	}
	id, err := g.L1Chain.ChainID(ctx)
	if err != nil {
		return fail("L1 chain id", err)
	}
	nonce, err := g.L1Chain.PendingNonceAt(ctx, from)
	if err != nil {
		return fail("L1 nonce", err)
	}
	head, err := g.L1Chain.HeaderByNumber(ctx, nil)
	if err != nil {
		return fail("L1 head", err)
	}
	tip := big.NewInt(1e9)
	tx, err := types.SignNewTx(g.Key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: nonce, To: &g.Portal, Data: append(slices.Clone(depositTransaction.ID), args...),
		// The portal burns gas for what L2 will use, at most one for one while L1's base fee is at its minimum.
		Gas:       300_000 + 2*governL2Gas + 40*uint64(len(data)),
		GasTipCap: tip, GasFeeCap: new(big.Int).Add(tip, new(big.Int).Mul(head.BaseFee, big.NewInt(3))),
	})
	if err != nil {
		return fail("deposit", err)
	}
	if err := g.L1Chain.SendTransaction(ctx, tx); err != nil {
		return fail("deposit", err)
	}
	return tx.Hash(), nil
}
