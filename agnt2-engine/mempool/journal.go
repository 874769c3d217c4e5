package mempool

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/log"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// The journal is a file of accepted transactions, in order of acceptance:
//
//	"AGNT2TX1", then for each: length (4 bytes, big endian), CRC-32C of the bytes (4), EIP-2718 bytes
//
// Concurrent commits share one write and fsync: while one is under way, the next batch gathers. Nothing is ever taken
// out of it; instead it is rewritten from the pool, next to it and renamed into place, when most of it has left the pool,
// when it is opened and after a failed write. What follows a failed or torn write is therefore never appended to.
const (
	journalMagic      = "AGNT2TX1"
	journalNewSuffix  = ".new"
	journalRecordHead = 8
	// journalRetry is the least time between attempts to repair a journal by rewriting it.
	journalRetry = time.Second
	// spareBytes bounds the buffer that is kept to be used again.
	spareBytes = 16 << 20
)

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// files is the file system below the journal, so that tests can make it fail.
type files interface {
	Open(path string) (io.ReadCloser, error)
	Create(path string) (file, error)     // empty, replacing what is there
	Rename(oldPath, newPath string) error // durable when it returns
}

type file interface {
	io.Writer
	Sync() error
	Close() error
}

type osFiles struct{}

func (osFiles) Open(path string) (io.ReadCloser, error) { return os.Open(path) }

func (osFiles) Create(path string) (file, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
}

func (osFiles) Rename(oldPath, newPath string) error {
	if err := os.Rename(oldPath, newPath); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(newPath))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

type journal struct {
	path     string
	interval time.Duration
	slack    int64
	fs       files
	log      log.Logger
	metrics  *metrics
	snapshot func() []*abi.Transaction // of the pool, in the order of arrival
	live     func() int64              // bytes that a rewrite would write

	mu     sync.Mutex
	buf    []byte // to be written next
	spare  []byte // the buffer before, to be used again
	batch  *batch // who waits for it; nil: nobody
	closed bool

	wake    chan struct{}
	quit    chan struct{}
	stopped chan struct{}

	// Of the writer alone.
	file      file // nil: unusable until rewritten
	size      int64
	lastSync  time.Time
	lastTry   time.Time // of a repair or rewrite
	lastErr   error
	rewriting bool
	tail      []byte // written since the rewrite under way began
	rewritten chan rewriteResult
}

type batch struct {
	done chan struct{}
	err  error // valid after done
}

type rewriteResult struct {
	file file
	size int64
	err  error
}

// openJournal puts the file's transactions into the pool and starts the writer. Called before the pool is shared.
func (p *Pool) openJournal(fs files) {
	j := &journal{
		path: p.cfg.JournalPath, interval: p.cfg.JournalInterval, slack: p.cfg.JournalSlackBytes, fs: fs, log: p.log, metrics: p.metrics,
		snapshot: p.snapshot,
		live: func() int64 {
			p.mu.RLock()
			defer p.mu.RUnlock()
			return p.bytes + int64(len(p.all))*journalRecordHead
		},
		wake: make(chan struct{}, 1), quit: make(chan struct{}), stopped: make(chan struct{}), rewritten: make(chan rewriteResult, 1),
	}
	p.restore(j.read())
	if err := j.rewriteNow(); err != nil {
		j.fail("Cannot write the transaction journal: no transaction is accepted until it can be written", err)
	}
	p.journal = j
	go j.run()
}

// restore puts accepted transactions back in. The file may hold more than the pool may (those that left it since the last
// rewrite), and what is needed later in it may come first, so the size limits apply at the end.
func (p *Pool) restore(records [][]byte) {
	txs := make([]*abi.Transaction, len(records))
	p.parallel(context.Background(), len(records), func(i int, _ error) {
		tx, err := abi.Decode(records[i], p.cfg.ChainID)
		switch {
		case err != nil:
			p.log.Error("Unusable transaction in the journal", "path", p.cfg.JournalPath, "index", i, "err", err)
		case !tx.Deposit:
			txs[i] = tx
		}
	})
	restored := 0
	p.mu.Lock()
	defer p.mu.Unlock()
	maxTransactions, maxBytes := p.cfg.MaxTransactions, p.cfg.MaxBytes
	p.cfg.MaxTransactions, p.cfg.MaxBytes = math.MaxInt, math.MaxInt64
	for _, tx := range txs {
		if tx == nil {
			continue
		}
		if err := p.insert(tx, nil, true); err == nil {
			restored++
		} else {
			p.log.Debug("Transaction of the journal is not needed any more", "err", err)
		}
	}
	p.cfg.MaxTransactions, p.cfg.MaxBytes = maxTransactions, maxBytes
	p.evictCheapest(len(p.all)-maxTransactions, p.bytes-maxBytes, nil)
	p.publish()
	if len(records) > 0 {
		p.log.Info("Read the transaction journal", "path", p.cfg.JournalPath, "transactions", len(records), "restored", restored)
	}
}

// snapshot lists the pool in the order of arrival.
func (p *Pool) snapshot() []*abi.Transaction {
	p.mu.RLock()
	items := make([]*item, 0, len(p.all))
	for _, a := range p.order {
		items = append(items, a.txs...)
	}
	p.mu.RUnlock()
	sort.Slice(items, func(i, j int) bool { return items[i].seq < items[j].seq })
	txs := make([]*abi.Transaction, len(items))
	for i, it := range items {
		txs[i] = it.tx
	}
	return txs
}

// read returns the records that are whole. A file that is not a journal is moved out of the way.
func (j *journal) read() [][]byte {
	f, err := j.fs.Open(j.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		j.log.Error("Cannot open the transaction journal: starting without its transactions", "path", j.path, "err", err)
		return nil
	}
	defer f.Close()
	records, damaged, err := readRecords(bufio.NewReaderSize(f, 1<<20))
	if errors.Is(err, errNotJournal) {
		j.log.Error("This is not a transaction journal: moving it out of the way", "path", j.path, "err", j.fs.Rename(j.path, j.path+".unreadable"))
		return nil
	}
	if err != nil || damaged > 0 {
		j.log.Warn("The transaction journal's end was not written whole; nobody had been told that it was", "path", j.path, "damaged", damaged, "err", err)
	}
	return records
}

var errNotJournal = errors.New("unknown file format")

// readRecords reads until the end or until nothing more can be made out. Records with a wrong checksum are skipped and
// counted.
func readRecords(r io.Reader) (records [][]byte, damaged int, err error) {
	magic := make([]byte, len(journalMagic))
	switch n, err := io.ReadFull(r, magic); {
	case string(magic[:n]) != journalMagic[:n]:
		return nil, 0, errNotJournal
	case err != nil:
		return nil, 0, nil // empty, or torn in the first write
	}
	for {
		var head [journalRecordHead]byte
		if _, err := io.ReadFull(r, head[:]); err == io.EOF {
			return records, damaged, nil
		} else if err != nil {
			return records, damaged + 1, ignoreTorn(err)
		}
		size, sum := binary.BigEndian.Uint32(head[:4]), binary.BigEndian.Uint32(head[4:])
		if size == 0 || size > abi.MaxTransactionBytes {
			return records, damaged + 1, nil
		}
		raw := make([]byte, size)
		if _, err := io.ReadFull(r, raw); err != nil {
			return records, damaged + 1, ignoreTorn(err)
		}
		if crc32.Checksum(raw, crcTable) != sum {
			damaged++
			continue
		}
		records = append(records, raw)
	}
}

func ignoreTorn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

func appendRecord(buf []byte, tx *abi.Transaction) ([]byte, error) {
	if tx.Raw == nil {
		return buf, fmt.Errorf("transaction %s has no encoding", tx.Hash)
	}
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(tx.Raw)))
	buf = binary.BigEndian.AppendUint32(buf, crc32.Checksum(tx.Raw, crcTable))
	return append(buf, tx.Raw...), nil
}

// append queues transactions to be written and returns what to wait for. They must be in the pool already: a rewrite
// takes its contents from there.
func (j *journal) append(txs []*abi.Transaction) *batch {
	j.mu.Lock()
	defer j.mu.Unlock()
	settled := func(err error) *batch {
		b := &batch{done: make(chan struct{}), err: err}
		close(b.done)
		return b
	}
	if j.closed {
		return settled(ErrClosed)
	}
	if len(txs) == 0 {
		return settled(nil)
	}
	before := len(j.buf)
	for _, tx := range txs {
		var err error
		if j.buf, err = appendRecord(j.buf, tx); err != nil {
			j.buf = j.buf[:before]
			return settled(err)
		}
	}
	if j.batch == nil {
		j.batch = &batch{done: make(chan struct{})}
	}
	j.signal()
	return j.batch
}

// commit returns once the transactions are on disk, with ErrJournal if they cannot be, or when ctx ends.
func (j *journal) commit(ctx context.Context, txs []*abi.Transaction) error {
	b := j.append(txs)
	select {
	case <-b.done:
		if b.err != nil {
			return fmt.Errorf("%w: %v", ErrJournal, b.err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reconsider makes the writer look whether a rewrite is due.
func (j *journal) reconsider() { j.signal() }

func (j *journal) signal() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// close writes what is queued and ends the writer.
func (j *journal) close() {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	close(j.quit)
	<-j.stopped
}

func (j *journal) run() {
	defer close(j.stopped)
	for {
		select {
		case <-j.wake:
			j.pace()
			j.flush()
			j.startRewrite()
		case r := <-j.rewritten:
			j.finishRewrite(r)
		case <-j.quit:
			j.flush()
			j.abandonRewrite()
			if j.file != nil {
				j.file.Close()
			}
			return
		}
	}
}

// pace waits until the interval since the last fsync is over.
func (j *journal) pace() {
	wait := j.interval - time.Since(j.lastSync)
	if wait <= 0 {
		return
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-j.quit:
	}
}

func (j *journal) flush() {
	j.mu.Lock()
	buf, b := j.buf, j.batch
	j.buf, j.spare, j.batch = j.spare[:0], nil, nil
	j.mu.Unlock()
	if b != nil {
		b.err = j.write(buf)
		close(b.done)
	}
	if cap(buf) <= spareBytes {
		j.mu.Lock()
		j.spare = buf
		j.mu.Unlock()
	}
}

func (j *journal) write(buf []byte) error {
	if j.file != nil {
		j.lastSync = time.Now()
		err := writeSync(j.file, buf)
		if err == nil {
			j.size += int64(len(buf))
			if j.rewriting {
				j.tail = append(j.tail, buf...)
			}
			j.metrics.journalSyncs.Inc()
			j.metrics.journalBytes.Add(float64(len(buf)))
			return nil
		}
		j.fail("Cannot append to the transaction journal: rewriting it", err)
	}
	// The file may end in half a record, so it is replaced. The pool, and so the new file, has what is in buf.
	if time.Since(j.lastTry) < journalRetry {
		return j.lastErr
	}
	j.abandonRewrite()
	if err := j.rewriteNow(); err != nil {
		j.fail("Cannot write the transaction journal: no transaction is accepted until it can be written", err)
		return err
	}
	return nil
}

func (j *journal) fail(msg string, err error) {
	j.metrics.journalFailures.Inc()
	j.log.Error(msg, "path", j.path, "err", err)
	j.lastErr = err
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
}

func writeSync(f file, b []byte) error {
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Sync()
}

// writeSnapshot writes the pool to the file that is to become the journal.
func (j *journal) writeSnapshot() (r rewriteResult) {
	if r.file, r.err = j.fs.Create(j.path + journalNewSuffix); r.err != nil {
		return r
	}
	defer func() {
		if r.err != nil {
			r.file.Close()
		}
	}()
	w := bufio.NewWriterSize(r.file, 1<<20)
	if _, r.err = w.WriteString(journalMagic); r.err != nil {
		return r
	}
	r.size = int64(len(journalMagic))
	var buf []byte
	for _, tx := range j.snapshot() {
		if buf, r.err = appendRecord(buf[:0], tx); r.err != nil {
			return r
		}
		if _, r.err = w.Write(buf); r.err != nil {
			return r
		}
		r.size += int64(len(buf))
	}
	if r.err = w.Flush(); r.err == nil {
		r.err = r.file.Sync()
	}
	return r
}

// rewriteNow replaces the journal while everybody waits.
func (j *journal) rewriteNow() error {
	j.lastTry = time.Now()
	return j.replace(j.writeSnapshot(), nil)
}

// replace makes a rewritten file, with what was appended to the old one meanwhile, the journal.
func (j *journal) replace(r rewriteResult, tail []byte) error {
	if r.err != nil {
		return r.err
	}
	if len(tail) > 0 {
		if err := writeSync(r.file, tail); err != nil {
			r.file.Close()
			return err
		}
	}
	if err := j.fs.Rename(j.path+journalNewSuffix, j.path); err != nil {
		r.file.Close()
		return err
	}
	if j.file != nil {
		j.file.Close()
	}
	j.file, j.size = r.file, r.size+int64(len(tail))
	j.metrics.journalRewrites.Inc()
	return nil
}

// startRewrite begins a rewrite beside the appending if most of the journal has left the pool.
func (j *journal) startRewrite() {
	if j.rewriting || j.file == nil || j.size <= 2*j.live()+j.slack {
		return
	}
	if j.lastErr != nil && time.Since(j.lastTry) < journalRetry {
		return
	}
	j.lastTry = time.Now()
	j.rewriting, j.tail = true, nil // from here on, before the snapshot is taken
	go func() { j.rewritten <- j.writeSnapshot() }()
}

func (j *journal) finishRewrite(r rewriteResult) {
	err := j.replace(r, j.tail)
	j.rewriting, j.tail, j.lastErr = false, nil, err
	if err != nil { // the old file is as good as before, unless the directory could not be synced: either holds everything
		j.metrics.journalFailures.Inc()
		j.log.Warn("Cannot rewrite the transaction journal; it keeps growing", "path", j.path, "bytes", j.size, "err", err)
	}
}

func (j *journal) abandonRewrite() {
	if !j.rewriting {
		return
	}
	if r := <-j.rewritten; r.err == nil {
		r.file.Close()
	}
	j.rewriting, j.tail = false, nil
}
