package chain

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/lru"
)

// blockCache holds the blocks that were used last, as many as have no more than transactionsInMemory together; the newest
// always.
type blockCache struct {
	mu  sync.Mutex
	lru lru.BasicLRU[common.Hash, *Executed]
	txs int
}

func newBlockCache() *blockCache {
	return &blockCache{lru: lru.NewBasicLRU[common.Hash, *Executed](blocksInMemory)}
}

func (c *blockCache) Get(hash common.Hash) (*Executed, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lru.Get(hash)
}

func (c *blockCache) Add(hash common.Hash, x *Executed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.lru.Peek(hash); ok {
		c.txs -= len(old.Raws)
		c.lru.Remove(hash)
	}
	c.txs += len(x.Raws)
	for c.lru.Len() == blocksInMemory || c.lru.Len() > 0 && c.txs > transactionsInMemory {
		_, old, _ := c.lru.RemoveOldest()
		c.txs -= len(old.Raws)
	}
	c.lru.Add(hash, x)
}
