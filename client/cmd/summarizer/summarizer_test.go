package main

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/client"
)

const article = `Rollups move execution away from the base chain. A rollup posts its data to the base chain, so that anyone can
re-execute it. My cat likes fish. Optimistic rollups accept a claimed state of the rollup unless somebody disputes it. Lunch was
at 12.30 p.m. yesterday. A dispute about the rollup ends on the base chain with one step of execution.`

func TestSummarizeKeepsWhatTheTextIsAbout(t *testing.T) {
	kept := Summarize(article, 3)
	require.Len(t, kept, 3)
	joined := strings.Join(kept, " ")
	require.NotContains(t, joined, "cat")
	require.NotContains(t, joined, "Lunch")
	flat := strings.Join(strings.Fields(article), " ")
	last := -1
	for _, s := range kept {
		at := strings.Index(flat, s)
		require.Greater(t, at, last, "sentences are the text's own, in its order: %q", s)
		last = at
	}
	require.Equal(t, kept, Summarize(article, 3), "same text, same summary")
	require.Equal(t, []string{"Short."}, Summarize("Short.", 3))
	require.Empty(t, Summarize("  \n ", 3))
}

func TestSplitSentences(t *testing.T) {
	require.Equal(t, []string{"He came at 3.15 p.m. and left.", "Why?", "No idea!"}, splitSentences("He came at 3.15 p.m. and left. Why?\nNo idea!"))
	require.Equal(t, []string{"Title", "Body"}, splitSentences("Title\n\nBody"))
}

func TestServiceAndHandler(t *testing.T) {
	server := httptest.NewServer(newService())
	defer server.Close()
	handler := callService(server.URL + "/summarize")
	params, err := json.Marshal(request{Text: article, Sentences: 2})
	require.NoError(t, err)
	result, err := handler(context.Background(), params)
	require.NoError(t, err)
	var a answer
	require.NoError(t, json.Unmarshal(result, &a))
	require.Equal(t, 2, a.Sentences)
	require.Equal(t, 6, a.Of)
	require.Equal(t, strings.Join(Summarize(article, 2), " "), a.Summary)
	for _, bad := range []string{"", "{", `{"text":""}`, `{"text":"a","sentences":-1}`, `{"text":"a","sentences":51}`, `{"txt":"a"}`} {
		_, err := handler(context.Background(), []byte(bad))
		require.ErrorIs(t, err, client.ErrParams, bad)
	}
	server.Close()
	_, err = handler(context.Background(), params)
	require.Error(t, err)
	require.NotErrorIs(t, err, client.ErrParams, "a broken service is not the caller's fault")
}
