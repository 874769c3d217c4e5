package codec

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInt128(t *testing.T) {
	most := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 127), big.NewInt(1))
	for _, v := range []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(-1), big.NewInt(-32), most, new(big.Int).Neg(most)} {
		x, ok := Int128FromBig(v)
		require.True(t, ok)
		require.Equal(t, v.String(), x.String())
		var b [32]byte
		PutInt128(b[:], x)
		word := new(big.Int).SetBytes(b[:])
		if v.Sign() < 0 {
			word.Sub(word, new(big.Int).Lsh(big.NewInt(1), 256))
		}
		require.Equal(t, v.String(), word.String(), "two's complement of the whole word")
		back, err := GetInt128(b[:], 0)
		require.NoError(t, err)
		require.Equal(t, x, back)
		for i := range 16 {
			b[i] ^= 1
			_, err = GetInt128(b[:], 0)
			require.ErrorIs(t, err, ErrNotCanonical)
			b[i] ^= 1
		}
	}
	_, ok := Int128FromBig(new(big.Int).Lsh(big.NewInt(1), 127))
	require.False(t, ok)
	require.Equal(t, NewInt128(-7).Big().Int64(), int64(-7))
	_, err := GetInt128(make([]byte, 31), 0)
	require.ErrorIs(t, err, ErrNotCanonical)
}
