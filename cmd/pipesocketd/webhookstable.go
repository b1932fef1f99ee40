package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
)

// keptWebhook is a webhook as the server tells of it.
type keptWebhook struct {
	ID       string `json:"id"`
	App      string `json:"app"`
	Endpoint string `json:"endpoint"`
	State    string `json:"state"`
	SealedMS int64  `json:"sealed_ms"`
	Events   int    `json:"events"`
	Bytes    int    `json:"bytes"`
	Failures int    `json:"failures"`
	DueMS    int64  `json:"due_ms"`
	DiedMS   int64  `json:"died_ms"`
	Reason   string `json:"reason"`

	raw []byte // the whole object
}

// UnmarshalJSON implements json.Unmarshaler.
func (w *keptWebhook) UnmarshalJSON(text []byte) error {
	type plain keptWebhook
	if err := json.Unmarshal(text, (*plain)(w)); err != nil {
		return err
	}
	w.raw = append([]byte(nil), text...)
	return nil
}

// note tells what is next, or why nothing is.
func (w *keptWebhook) note() string {
	switch {
	case w.DiedMS != 0:
		return w.Reason + " at " + shownTime(w.DiedMS)
	case w.DueMS != 0:
		return "next attempt at " + shownTime(w.DueMS)
	}
	return ""
}

// webhooksTable prints pages of a list.
type webhooksTable struct {
	out    io.Writer
	tabs   *tabwriter.Writer
	json   bool
	headed bool
}

func newWebhooksTable(out io.Writer, asJSON bool) *webhooksTable {
	return &webhooksTable{out: out, tabs: tabwriter.NewWriter(out, 0, 8, 2, ' ', 0), json: asJSON}
}

func (t *webhooksTable) print(webhooks []keptWebhook) error {
	if t.json {
		for _, w := range webhooks {
			if _, err := t.out.Write(append(w.raw, '\n')); err != nil {
				return err
			}
		}
		return nil
	}
	if !t.headed {
		fmt.Fprintln(t.tabs, "ID\tSTATE\tAPP\tMADE\tEVENTS\tBYTES\tFAILURES\tENDPOINT\tNOTE")
		t.headed = true
	}
	for _, w := range webhooks {
		fmt.Fprintf(t.tabs, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", shown(w.ID), shown(w.State), shown(w.App), shownTime(w.SealedMS),
			w.Events, w.Bytes, w.Failures, shown(w.Endpoint), shown(w.note()))
	}
	return t.tabs.Flush()
}

// webhookDetail is all about one webhook.
type webhookDetail struct {
	Delivery string `json:"delivery"`
	Body     string `json:"body"`
	Attempts []struct {
		AtMS    int64   `json:"at_ms"`
		TookMS  float64 `json:"took_ms"`
		Outcome string  `json:"outcome"`
		Status  int     `json:"status"`
		Answer  string  `json:"answer"`
		Error   string  `json:"error"`
	} `json:"attempts"`
}

// printWebhook prints the answer to a request for one webhook. What others have
// sent moves no cursor.
func printWebhook(out io.Writer, answer []byte) error {
	var w keptWebhook
	var d webhookDetail
	if err := json.Unmarshal(answer, &w); err != nil {
		return fmt.Errorf("the server does not answer with a webhook: %w", err)
	}
	if err := json.Unmarshal(answer, &d); err != nil {
		return fmt.Errorf("the server does not answer with a webhook: %w", err)
	}
	tabs := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(tabs, "id\t%s\nstate\t%s\napp\t%s\nendpoint\t%s\nmade\t%s\nfailures\t%d\n",
		shown(w.ID), shown(w.State), shown(w.App), shown(w.Endpoint), shownTime(w.SealedMS), w.Failures)
	if note := w.note(); note != "" {
		fmt.Fprintf(tabs, "note\t%s\n", shown(note))
	}
	if d.Body != "" {
		fmt.Fprintf(tabs, "events\t%d\nbytes\t%d\ndelivery\t%s\nbody\t%s\n", w.Events, w.Bytes, shown(d.Delivery), shown(d.Body))
	}
	if err := tabs.Flush(); err != nil {
		return err
	}
	if len(d.Attempts) == 0 {
		_, err := fmt.Fprintln(out, "\nno attempts are known")
		return err
	}
	fmt.Fprintln(tabs, "\nATTEMPT\tTOOK\tOUTCOME\tSTATUS\tANSWER OR ERROR")
	for _, a := range d.Attempts {
		status := "-"
		if a.Status != 0 {
			status = strconv.Itoa(a.Status)
		}
		fmt.Fprintf(tabs, "%s\t%.1fms\t%s\t%s\t%s\n", shownTime(a.AtMS), a.TookMS, shown(a.Outcome), status, shown(a.Answer+a.Error))
	}
	return tabs.Flush()
}
