package batcher

import (
	"os"

	"github.com/ethereum/go-ethereum/log"
)

func init() { log.SetDefault(log.NewLogger(log.NewTerminalHandlerWithLevel(os.Stderr, log.LevelInfo, false))) }
