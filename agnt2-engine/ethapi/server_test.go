package ethapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
)

func post(t testing.TB, url, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	require.NoError(t, err)
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(out)
}

// valueOf a counter.
func valueOf(t testing.TB, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	require.NoError(t, c.Write(&m))
	return m.GetCounter().GetValue()
}

func request(method, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)
}

func TestHTTPHandler(t *testing.T) {
	reg := prometheus.NewRegistry()
	x := newTestAPI(t, func(c *Config) { c.Registerer = reg })
	cfg := ServerConfig{
		Name: "public", MaxBodyBytes: 2000, MaxBatchItems: 3, AnyOrigin: true, MaxRequests: 1, RequestTimeout: 200 * time.Millisecond,
		Routes: map[string]http.Handler{"/healthz": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "healthy") })},
	}
	s, err := x.NewServer(cfg, x.APIs("eth", "agnt2"))
	require.NoError(t, err)
	defer s.Stop()
	server := httptest.NewServer(x.NewHTTPHandler(s, cfg))
	defer server.Close()

	code, body := post(t, server.URL, request("eth_chainId", "[]"))
	require.Equal(t, http.StatusOK, code)
	require.JSONEq(t, `{"jsonrpc":"2.0","id":1,"result":"0x385"}`, body)
	_, body = post(t, server.URL, request("miner_setMaxDASize", `["0x0","0x0"]`))
	require.Contains(t, body, "-32601", "a namespace that was not asked for is not served")
	resp, err := http.Get(server.URL + "/healthz")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	resp.Body.Close()

	batch := "[" + strings.Repeat(request("eth_chainId", "[]")+",", 3) + request("eth_chainId", "[]") + "]"
	_, body = post(t, server.URL, batch)
	require.Contains(t, body, "batch too large")
	code, _ = post(t, server.URL, request("web3_sha3", `["0x`+strings.Repeat("00", 2000)+`"]`))
	require.Equal(t, http.StatusRequestEntityTooLarge, code)

	pre, err := http.NewRequest(http.MethodOptions, server.URL, nil)
	require.NoError(t, err)
	pre.Header.Set("Origin", "https://agent.example")
	pre.Header.Set("Access-Control-Request-Method", "POST")
	pre.Header.Set("Access-Control-Request-Headers", "content-type")
	resp, err = http.DefaultClient.Do(pre)
	require.NoError(t, err)
	require.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"))
	resp.Body.Close()
	cfg.AnyOrigin = false
	closed := httptest.NewServer(x.NewHTTPHandler(s, cfg))
	defer closed.Close()
	pre.URL.Host = strings.TrimPrefix(closed.URL, "http://")
	resp, err = http.DefaultClient.Do(pre)
	require.NoError(t, err)
	require.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"))
	resp.Body.Close()

	// One request hangs: the next is refused at once, and the hanging one is answered in time.
	entered, free := make(chan struct{}, 1), make(chan struct{})
	x.chain.onDryRun = func(context.Context) error { entered <- struct{}{}; <-free; return nil }
	answer := make(chan string, 1)
	go func() {
		_, body := post(t, server.URL, request("eth_call", fmt.Sprintf(`[{"to":%q,"data":"0x3defb962"},"latest"]`, abi.Address.Hex())))
		answer <- body
	}()
	receive(t, entered)
	code, body = post(t, server.URL, request("eth_chainId", "[]"))
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Contains(t, body, "retry")
	require.Eventually(t, func() bool { return valueOf(t, x.m.refused.WithLabelValues("public")) >= 1 }, time.Second, time.Millisecond)
	time.AfterFunc(300*time.Millisecond, func() { close(free) })
	require.Contains(t, receive(t, answer), "timed out")

	require.Eventually(t, func() bool {
		return valueOf(t, x.m.requests.WithLabelValues("public", "eth_chainId", "0")) == 1 &&
			valueOf(t, x.m.requests.WithLabelValues("public", otherMethod, "-32601")) == 0
	}, time.Second, time.Millisecond)
	require.EqualValues(t, 1, valueOf(t, x.m.requests.WithLabelValues("public", "miner_setMaxDASize", "-32601")))
}

func TestMetricsDoNotGrowWithInventedMethods(t *testing.T) {
	reg := prometheus.NewRegistry()
	x := newTestAPI(t, func(c *Config) { c.Registerer = reg })
	for i := range 50 {
		fails(t, x, -32601, fmt.Sprintf("eth_invented%d", i))
	}
	require.EqualValues(t, 50, valueOf(t, x.m.requests.WithLabelValues("http", otherMethod, "-32601")))
	get[string](t, x, "eth_newBlockFilter")
	families, err := reg.Gather()
	require.NoError(t, err)
	found := map[string]*dto.MetricFamily{}
	for _, f := range families {
		found[f.GetName()] = f
	}
	require.LessOrEqual(t, len(found["agnt2_rpc_requests_total"].GetMetric()), 2)
	require.EqualValues(t, 1, found["agnt2_rpc_filters"].GetMetric()[0].GetGauge().GetValue())
	require.Contains(t, found, "agnt2_rpc_request_seconds")
}

func TestWSHandler(t *testing.T) {
	x := newTestAPI(t, nil)
	cfg := ServerConfig{Name: "ws", MaxConnections: 1}
	server := httptest.NewServer(x.NewWSHandler(x.server, cfg))
	defer server.Close()
	url := "ws" + strings.TrimPrefix(server.URL, "http")
	first, err := rpc.Dial(url)
	require.NoError(t, err)
	var id string
	require.NoError(t, first.Call(&id, "eth_chainId"))
	require.Equal(t, "0x385", id)
	_, err = rpc.Dial(url)
	require.Error(t, err, "one connection is the limit")
	heads := make(chan map[string]any, 4)
	_, err = first.EthSubscribe(context.Background(), heads, "newHeads")
	require.NoError(t, err)
	block := x.chain.extend(payload{})
	require.Equal(t, block.Hash().Hex(), receive(t, heads)["hash"])
	first.Close()
	require.Eventually(t, func() bool {
		c, err := rpc.Dial(url)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, 5*time.Second, 5*time.Millisecond)
	n := func() int { s, _ := x.hub.counts(); return s }
	require.Eventually(t, func() bool { return n() == 0 }, 5*time.Second, time.Millisecond, "a closed connection leaves no subscription")

	_, err = rpc.DialWebsocket(context.Background(), url, "https://evil.example")
	require.Error(t, err, "without AnyOrigin a web page cannot connect")
}

// Subscriptions need a connection that can push.
func TestSubscribeOverHTTP(t *testing.T) {
	x := newTestAPI(t, nil)
	server := httptest.NewServer(x.NewHTTPHandler(x.server, ServerConfig{}))
	defer server.Close()
	_, body := post(t, server.URL, request("eth_subscribe", `["newHeads"]`))
	require.Contains(t, body, "notifications not supported")
	require.NotNil(t, NewHTTPServer(http.NotFoundHandler()).Handler)
}
