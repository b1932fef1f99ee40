package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// A history is what to read of a channel's past, and where.
type history struct {
	target
	channel  string
	limit    int // events in all; 0: every one
	order    string
	from, to string
	follow   bool
	json     bool
	every    time.Duration // between looks for further events
}

// Values of --order.
const (
	orderNewest = "newest"
	orderOldest = "oldest"
)

func (p *program) historyCommand() *cobra.Command {
	h := history{every: time.Second}
	command := &cobra.Command{
		Use:   "history CHANNEL",
		Short: "Show the events that a running server has kept of a channel",
		Long: "history reads the events of one channel through the HTTP API, and prints a line for each: time, event, data, and\n" +
			"the user and the connection that it came from. What does not show is printed as an escape.\n\n" +
			"Server and app are chosen as for trigger. Times are RFC 3339 times, dates, Unix milliseconds, or durations\n" +
			"such as 2h for so long ago.",
		Example: "  pipesocketd history presence-room --limit 20\n" +
			"  pipesocketd history private-orders --from 2026-01-02T15:00:00Z --order oldest --limit 0 --json > orders.jsonl\n" +
			"  pipesocketd history presence-room --follow",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h.channel = args[0]
			if err := h.check(time.Now()); err != nil {
				return exitError{exitUsage, err}
			}
			if err := p.complete(cmd, &h.target); err != nil {
				return err
			}
			return wrapFailure(h.print(cmd.Context(), p.stdout))
		},
	}
	flags := command.Flags()
	h.addFlags(flags)
	flags.IntVar(&h.limit, "limit", 100, "how many events to show; 0 for all of them")
	flags.StringVar(&h.order, "order", orderNewest, "which come first: newest or oldest")
	flags.StringVar(&h.from, "from", "", "only events at this time or later")
	flags.StringVar(&h.to, "to", "", "only events before this time")
	flags.BoolVarP(&h.follow, "follow", "f", false, "show the last events, oldest first, and then what comes, until interrupted")
	flags.BoolVar(&h.json, "json", false, "print each event as the JSON object that the server sent")
	return command
}

// check makes Unix milliseconds of the times.
func (h *history) check(now time.Time) error {
	if h.limit < 0 {
		return errors.New("--limit must not be negative")
	}
	if h.order != orderNewest && h.order != orderOldest {
		return errors.New("--order must be newest or oldest")
	}
	if h.follow && (h.order != orderNewest || h.to != "" || h.limit == 0) {
		return errors.New("--follow shows the last events and what comes: it goes with neither --order, --to nor --limit 0")
	}
	return readMoments(&h.from, &h.to, now)
}

func (h *history) print(ctx context.Context, to io.Writer) error {
	out := bufio.NewWriter(to)
	if h.follow {
		return h.printAndFollow(ctx, out)
	}
	q := pageQuery{order: h.order, from: h.from, to: h.to}
	for left := h.limit; ; {
		q.limit = maxPage
		if h.limit > 0 {
			q.limit = min(left, maxPage)
		}
		page, err := h.page(ctx, q)
		if err != nil {
			return errors.Join(out.Flush(), err)
		}
		for _, e := range page.Events {
			h.printEvent(out, e)
		}
		left -= len(page.Events)
		if q.cursor = page.Next; q.cursor == "" || h.limit > 0 && left <= 0 {
			return out.Flush()
		}
	}
}

// printAndFollow shows the last events and then, until ctx ends, what comes. Each
// look begins at the millisecond of the last event, where more may have come.
func (h *history) printAndFollow(ctx context.Context, out *bufio.Writer) error {
	page, err := h.page(ctx, pageQuery{order: orderNewest, from: h.from, limit: min(h.limit, maxPage)})
	if err != nil {
		return err
	}
	slices.Reverse(page.Events)
	page.Next = ""
	q := pageQuery{order: orderOldest, from: h.from, limit: maxPage}
	var lastMS int64
	shown := make(map[string]bool) // ids of that millisecond
	for {
		for _, e := range page.Events {
			if shown[e.ID] {
				continue
			}
			if e.TimeMS != lastMS {
				lastMS = e.TimeMS
				clear(shown)
			}
			shown[e.ID] = true
			h.printEvent(out, e)
		}
		if q.cursor = page.Next; q.cursor == "" {
			if err := out.Flush(); err != nil {
				return err
			}
			if lastMS > 0 {
				q.from = strconv.FormatInt(lastMS, 10)
			}
			if !sleep(ctx, h.every) {
				return nil
			}
		}
		if page, err = h.page(ctx, q); err != nil {
			return errors.Join(out.Flush(), err)
		}
	}
}

// sleep returns false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// printEvent writes one line. Whatever others have sent stays on it and moves no
// cursor.
func (h *history) printEvent(out *bufio.Writer, e pastEvent) {
	if h.json {
		_, _ = out.Write(append(e.raw, '\n')) // Flush tells
		return
	}
	line := shownTime(e.TimeMS) + "  " + shown(e.Name) + "  " + shown(e.Data)
	if e.UserID != "" {
		line += "  user_id=" + shown(e.UserID)
	}
	if e.SocketID != "" {
		line += "  socket_id=" + shown(e.SocketID)
	}
	_, _ = out.WriteString(line + "\n") // Flush tells
}
