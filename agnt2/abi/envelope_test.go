package abi_test

import (
	"crypto/ecdsa"
	"errors"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
)

var (
	testChain  = big.NewInt(901)
	testKey    = mustKey()
	testSender = crypto.PubkeyToAddress(testKey.PublicKey)
)

func mustKey() *ecdsa.PrivateKey {
	k, err := crypto.ToECDSA(crypto.Keccak256([]byte("envelope")))
	if err != nil {
		panic(err)
	}
	return k
}

func base() *types.DynamicFeeTx {
	to := abi.Address
	return &types.DynamicFeeTx{
		ChainID: new(big.Int).Set(testChain), Nonce: 3, GasTipCap: big.NewInt(1), GasFeeCap: big.NewInt(2), Gas: 50_000, To: &to,
		Value: big.NewInt(4), Data: []byte{1, 2, 3, 4},
	}
}

func sign(t testing.TB, inner types.TxData) []byte {
	tx, err := types.SignNewTx(testKey, types.LatestSignerForChainID(testChain), inner)
	require.NoError(t, err)
	raw, err := tx.MarshalBinary()
	require.NoError(t, err)
	return raw
}

func unsigned(t testing.TB, inner types.TxData) []byte {
	raw, err := types.NewTx(inner).MarshalBinary()
	require.NoError(t, err)
	return raw
}

// forged signs correctly and then changes the signature.
// short is a signed transaction of n bytes that is well-formed but for its length: r and s of 1 are a valid signature.
func short(t *testing.T, n int) []byte {
	for data := range n {
		raw, err := types.NewTx(&types.DynamicFeeTx{
			ChainID: testChain, GasFeeCap: big.NewInt(2e9), Gas: 100_000, Data: make([]byte, data),
			V: new(big.Int), R: big.NewInt(1), S: big.NewInt(1),
		}).MarshalBinary()
		require.NoError(t, err)
		if len(raw) == n {
			return raw
		}
	}
	t.Fatalf("no transaction of %d bytes", n)
	return nil
}

func TestShortestTransaction(t *testing.T) {
	_, err := abi.Decode(short(t, abi.MinTransactionBytes), testChain)
	require.NoError(t, err)
}

func forged(t testing.TB, change func(r, s, v *big.Int)) []byte {
	tx := base()
	signed, err := types.SignNewTx(testKey, types.LatestSignerForChainID(testChain), tx)
	require.NoError(t, err)
	v, r, s := signed.RawSignatureValues()
	tx.V, tx.R, tx.S = new(big.Int).Set(v), new(big.Int).Set(r), new(big.Int).Set(s)
	change(tx.R, tx.S, tx.V)
	return unsigned(t, tx)
}

func TestEnvelope(t *testing.T) {
	with := func(change func(*types.DynamicFeeTx)) []byte {
		tx := base()
		change(tx)
		return sign(t, tx)
	}
	otherChain := base()
	otherChain.ChainID = big.NewInt(902)
	signedElsewhere, err := types.SignNewTx(testKey, types.LatestSignerForChainID(otherChain.ChainID), otherChain)
	require.NoError(t, err)
	elsewhere, err := signedElsewhere.MarshalBinary()
	require.NoError(t, err)
	n := crypto.S256().Params().N
	to := abi.Address
	overhead := len(sign(t, base()))
	big256 := new(big.Int).Lsh(common.Big1, 256)

	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"good":             {sign(t, base()), nil},
		"contract":         {with(func(tx *types.DynamicFeeTx) { tx.To = nil }), nil},
		"tip equals cap":   {with(func(tx *types.DynamicFeeTx) { tx.GasTipCap = tx.GasFeeCap }), nil},
		"empty":            {nil, abi.ErrUndecodable},
		"type byte alone":  {[]byte{2}, abi.ErrUndecodable},
		"not RLP":          {[]byte{2, 0xff, 1, 2}, abi.ErrUndecodable},
		"cut":              {sign(t, base())[:60], abi.ErrUndecodable},
		"spare byte":       {append(sign(t, base()), 0), abi.ErrUndecodable},
		"other chain":      {elsewhere, abi.ErrChainID},
		"legacy":           {sign(t, &types.LegacyTx{Nonce: 1, GasPrice: big.NewInt(1), Gas: 21000, To: &to}), abi.ErrType},
		"access list type": {sign(t, &types.AccessListTx{ChainID: testChain, GasPrice: big.NewInt(1), Gas: 21000, To: &to}), abi.ErrType},
		"blob": {sign(t, &types.BlobTx{
			ChainID: uint256.MustFromBig(testChain), GasTipCap: uint256.NewInt(1), GasFeeCap: uint256.NewInt(1), BlobFeeCap: uint256.NewInt(1),
			BlobHashes: []common.Hash{{1}},
		}), abi.ErrType},
		"set code": {sign(t, &types.SetCodeTx{
			ChainID: uint256.MustFromBig(testChain), GasTipCap: uint256.NewInt(1), GasFeeCap: uint256.NewInt(1),
			AuthList: []types.SetCodeAuthorization{{}},
		}), abi.ErrType},
		"unknown type":   {[]byte{0x7d, 0xc0}, abi.ErrType},
		"unsigned":       {unsigned(t, base()), abi.ErrSignature},
		"high s":         {forged(t, func(r, s, v *big.Int) { s.Sub(n, s); v.Xor(v, common.Big1) }), abi.ErrSignature},
		"r is zero":      {forged(t, func(r, s, v *big.Int) { r.SetInt64(0) }), abi.ErrSignature},
		"r too large":    {forged(t, func(r, s, v *big.Int) { r.Set(n) }), abi.ErrSignature},
		"r not on curve": {forged(t, func(r, s, v *big.Int) { r.SetInt64(5) }), abi.ErrSignature},
		"v is 2":         {forged(t, func(r, s, v *big.Int) { v.SetInt64(2) }), abi.ErrSignature},
		"v is 27":        {forged(t, func(r, s, v *big.Int) { v.Add(v, big.NewInt(27)) }), abi.ErrSignature},
		"v is 256":       {forged(t, func(r, s, v *big.Int) { v.Add(v, big.NewInt(256)) }), abi.ErrSignature},
		"access list": {with(func(tx *types.DynamicFeeTx) {
			tx.AccessList = types.AccessList{{Address: to}}
		}), abi.ErrAccessList},
		"tip above cap":     {with(func(tx *types.DynamicFeeTx) { tx.GasTipCap = big.NewInt(3) }), abi.ErrTipAboveCap},
		"fee cap too large": {with(func(tx *types.DynamicFeeTx) { tx.GasFeeCap = big256 }), abi.ErrFieldRange},
		"value too large":   {with(func(tx *types.DynamicFeeTx) { tx.Value = big256 }), abi.ErrFieldRange},
		"last nonce":        {with(func(tx *types.DynamicFeeTx) { tx.Nonce = ^uint64(0) }), abi.ErrFieldRange},
		"oversize":          {with(func(tx *types.DynamicFeeTx) { tx.Data = make([]byte, abi.MaxTransactionBytes) }), abi.ErrTooLarge},
		"too small":         {short(t, abi.MinTransactionBytes-1), abi.ErrTooSmall},
		"just fits": {with(func(tx *types.DynamicFeeTx) {
			tx.Data = make([]byte, abi.MaxTransactionBytes-overhead-4)
		}), nil},
	} {
		t.Run(name, func(t *testing.T) {
			tx, err := abi.Decode(c.raw, testChain)
			require.ErrorIs(t, err, c.want)
			if c.want == nil {
				require.NoError(t, err)
				require.Equal(t, testSender, tx.From)
				require.Equal(t, len(c.raw), tx.Size)
				require.Equal(t, crypto.Keccak256Hash(c.raw), tx.Hash)
			}
		})
	}
}

func TestEffectiveTip(t *testing.T) {
	tx := &abi.Transaction{FeeCap: *uint256.NewInt(10), TipCap: *uint256.NewInt(3)}
	for _, c := range []struct {
		base, tip uint64
		ok        bool
	}{{0, 3, true}, {7, 3, true}, {8, 2, true}, {10, 0, true}, {11, 0, false}} {
		tip, ok := tx.EffectiveTip(uint256.NewInt(c.base))
		require.Equal(t, c.ok, ok, "base fee %d", c.base)
		require.Equal(t, c.tip, tip.Uint64(), "base fee %d", c.base)
	}
}

func TestDepositEnvelope(t *testing.T) {
	to := common.Address{7}
	big256 := new(big.Int).Lsh(common.Big1, 256)
	raw := unsigned(t, &types.DepositTx{From: testSender, To: &to, Mint: big.NewInt(5), Value: big.NewInt(6), Gas: 9, Data: make([]byte, 200_000)})
	tx, err := abi.Decode(raw, testChain)
	require.NoError(t, err, "deposits have no size limit: L1 has one")
	require.True(t, tx.Deposit)
	require.Equal(t, testSender, tx.From)
	require.Equal(t, uint64(5), tx.Mint.Uint64())
	require.Equal(t, uint64(6), tx.Value.Uint64())
	_, err = abi.Decode(unsigned(t, &types.DepositTx{Mint: big256, Value: new(big.Int)}), testChain)
	require.ErrorIs(t, err, abi.ErrFieldRange)
}

// FuzzEnvelope: no bytes make Decode panic, what it accepts go-ethereum accepts with the same sender and bytes, and what it
// cannot decode go-ethereum cannot either.
func FuzzEnvelope(f *testing.F) {
	f.Add(sign(f, base()))
	f.Add(unsigned(f, base()))
	f.Add(unsigned(f, &types.DepositTx{From: testSender, Value: new(big.Int)}))
	f.Add([]byte{2, 0xc0})
	f.Add([]byte{0xc0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		inner := new(types.Transaction)
		refused := inner.UnmarshalBinary(raw)
		tx, err := abi.Decode(raw, testChain)
		if errors.Is(err, abi.ErrUndecodable) && refused == nil {
			t.Fatalf("go-ethereum accepts it: %v", err)
		}
		if err != nil {
			return
		}
		if refused != nil {
			t.Fatalf("go-ethereum refuses it: %v", refused)
		}
		from, err := types.Sender(types.LatestSignerForChainID(testChain), inner)
		if err != nil || from != tx.From {
			t.Fatalf("sender %s, go-ethereum says %s, %v", tx.From, from, err)
		}
		if e := tx.Ethereum(); e.Hash() != inner.Hash() || e.Nonce() != tx.Nonce || e.Gas() != tx.GasLimit || string(e.Data()) != string(tx.Data) ||
			e.Value().String() != tx.Value.Dec() || !tx.Deposit && (e.GasFeeCap().String() != tx.FeeCap.Dec() || e.GasTipCap().String() != tx.TipCap.Dec()) {
			t.Fatalf("go-ethereum reads other fields")
		}
		if again, err := inner.MarshalBinary(); err != nil || string(again) != string(raw) || tx.Hash != inner.Hash() {
			t.Fatalf("two encodings of one transaction")
		}
	})
}

// TestPrepare: the hash and the digest that is signed are go-ethereum's, whatever the sizes of the fields.
func TestPrepare(t *testing.T) {
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	signer := types.LatestSignerForChainID(big.NewInt(901))
	var txs []*types.Transaction
	for n := range 400 {
		to := &abi.Address
		if n%7 == 0 {
			to = nil
		}
		txs = append(txs, types.MustSignNewTx(key, signer, &types.DynamicFeeTx{
			ChainID: big.NewInt(901), Nonce: uint64(n) << (n % 40), Gas: uint64(n), To: to, Value: new(big.Int).Lsh(big.NewInt(int64(n)), uint(n%200)),
			GasTipCap: big.NewInt(int64(n)), GasFeeCap: new(big.Int).Lsh(big.NewInt(1), uint(10+n%90)), Data: make([]byte, n*n%3000),
		}))
	}
	raws := make([][]byte, len(txs))
	for i := range txs {
		raws[i], err = txs[i].MarshalBinary()
		require.NoError(t, err)
	}
	us, errs := abi.Prepare(raws, big.NewInt(901))
	for i, tx := range txs {
		require.NoError(t, errs[i])
		require.Equal(t, tx.Hash(), us[i].Hash())
		got, err := us[i].Verify()
		require.NoError(t, err)
		require.Equal(t, crypto.PubkeyToAddress(key.PublicKey), got.From)
		require.Equal(t, raws[i], got.Raw)
		require.EqualValues(t, tx.Size(), got.Size)
		require.Equal(t, tx.Nonce(), got.Nonce)
		require.Equal(t, tx.Gas(), got.GasLimit)
		require.Equal(t, tx.To(), got.To)
		require.Equal(t, tx.Data(), append([]byte{}, got.Data...))
		require.Equal(t, tx.Value().String(), got.Value.Dec())
		require.Equal(t, tx.GasFeeCap().String(), got.FeeCap.Dec())
		require.Equal(t, tx.GasTipCap().String(), got.TipCap.Dec())
	}
	for n := range raws[1] { // what was cut off is an error, never a panic
		_, errs := abi.Prepare([][]byte{raws[1][:n:n]}, big.NewInt(901))
		require.Error(t, errs[0])
	}
}

// TestDecodeLikeEthereum: damaged in any byte, a transaction decodes where go-ethereum decodes it, and nowhere else.
func TestDecodeLikeEthereum(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	accepted, refused := 0, 0
	for range 300_000 {
		tx := base()
		tx.Nonce, tx.Gas, tx.Data = rnd.Uint64()>>rnd.IntN(64), rnd.Uint64()>>rnd.IntN(64), make([]byte, rnd.IntN(70))
		tx.V, tx.R, tx.S = big.NewInt(rnd.Int64N(2)), big.NewInt(rnd.Int64()), big.NewInt(rnd.Int64())
		if rnd.IntN(4) == 0 {
			tx.To = nil
		}
		raw := unsigned(t, tx)
		for range rnd.IntN(3) {
			switch i := rnd.IntN(len(raw)); rnd.IntN(3) {
			case 0:
				raw[i] = byte(rnd.Uint32())
			case 1:
				raw = append(raw[:i], raw[i+1:]...)
			default:
				raw = slices.Insert(raw, i, []byte{0, 0x80, 0xc0, byte(rnd.Uint32())}[rnd.IntN(4)])
			}
		}
		inner := new(types.Transaction)
		want := inner.UnmarshalBinary(raw)
		_, errs := abi.Prepare([][]byte{raw}, testChain)
		switch err := errs[0]; {
		case err == nil:
			accepted++
			require.NoError(t, want, "%x", raw)
		case errors.Is(err, abi.ErrUndecodable):
			refused++
			require.Error(t, want, "%x: %v", raw, err)
		}
	}
	require.Greater(t, accepted, 1000)
	require.Greater(t, refused, 1000)
}
