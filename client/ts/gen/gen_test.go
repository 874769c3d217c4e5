package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestABIIsCurrent(t *testing.T) {
	want, err := render()
	require.NoError(t, err)
	have, err := os.ReadFile("../abi.ts")
	require.NoError(t, err)
	require.Equal(t, string(want), string(have), "run: go generate ./client/ts/gen")
}
