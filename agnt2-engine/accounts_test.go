package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/record"
)

// TestAccountFits: the mempool reads an account for every transaction, into memory that need not be allocated.
func TestAccountFits(t *testing.T) {
	require.LessOrEqual(t, len((&record.Account{}).Encode()), accountBytes)
}
