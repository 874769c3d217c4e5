package solidity_test

import (
	"errors"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/internal/solidity"
)

func TestCallsAndReverts(t *testing.T) {
	evm := solidity.New()
	c, err := evm.Deploy("LayerRoot", common.Address{1}, big.NewInt(5), uint64(1), uint64(2), uint64(3))
	if err != nil {
		t.Fatal(err)
	}
	out, gas, err := evm.Call(c, "minimumBondWei")
	if err != nil || out[0].(*big.Int).Uint64() != 5 || gas == 0 {
		t.Fatalf("%v, gas %d, %v", out, gas, err)
	}
	var revert *solidity.Revert
	if _, _, err := evm.Call(c, "withdrawBond"); !errors.As(err, &revert) || revert.Name != "NothingToWithdraw" {
		t.Fatalf("got %v", err)
	}
	if _, err := evm.Deploy("NoSuchContract"); err == nil {
		t.Fatal("deployed a contract that does not exist")
	}
}
