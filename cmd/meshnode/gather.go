package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/mesh"
)

const (
	// statsSubject asks every member of every mesh on this NATS that is not
	// private, by the protocol of NATS services.
	statsSubject = "$SRV.STATS.cachemesh"
	// statsWait is how long answers are gathered.
	statsWait = 500 * time.Millisecond
)

// serviceStats is the part of a NATS service's answer that is looked at.
type serviceStats struct {
	Metadata  map[string]string `json:"metadata"`
	Endpoints []struct {
		Name string          `json:"name"`
		Data json.RawMessage `json:"data"`
	} `json:"endpoints"`
}

// gatherStats asks the members of the visitor's mesh for their statistics. It
// returns them by member, and the IDs of those that have not answered.
func gatherStats(ctx context.Context, v visitor) (answers []mesh.Stats, silent []string, err error) {
	awaited := map[string]bool{}
	for _, m := range v.others() {
		awaited[m.ID] = true
	}
	answers = []mesh.Stats{} // not nil: an empty list in JSON
	if len(awaited) == 0 {
		return answers, nil, nil
	}
	nc := v.Conn()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return nil, nil, fmt.Errorf("ask for statistics: %w", err)
	}
	defer sub.Unsubscribe()
	if err := nc.PublishRequest(statsSubject, inbox, nil); err != nil {
		return nil, nil, fmt.Errorf("ask for statistics: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, statsWait)
	defer cancel()
	for len(awaited) > 0 {
		msg, err := sub.NextMsgWithContext(ctx)
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrNoResponders) {
			break // who is silent is private, or has gone
		}
		if err != nil {
			return nil, nil, fmt.Errorf("ask for statistics: %w", err)
		}
		answer, ok := readStats(msg.Data, v.mesh)
		if ok && awaited[answer.Member] {
			delete(awaited, answer.Member)
			answers = append(answers, answer)
		}
	}
	for id := range awaited {
		silent = append(silent, id)
	}
	slices.Sort(silent)
	slices.SortFunc(answers, func(a, b mesh.Stats) int { return strings.Compare(a.Member, b.Member) })
	return answers, silent, nil
}

// readStats reads one answer, if it comes from a member of the mesh. Services of
// other meshes and of other programs may answer too.
func readStats(data []byte, meshName string) (mesh.Stats, bool) {
	var service serviceStats
	if json.Unmarshal(data, &service) != nil || service.Metadata["mesh"] != meshName || len(service.Endpoints) == 0 {
		return mesh.Stats{}, false
	}
	endpoint := service.Endpoints[0]
	for _, e := range service.Endpoints {
		if e.Name == "get" {
			endpoint = e
			break
		}
	}
	var stats mesh.Stats
	if json.Unmarshal(endpoint.Data, &stats) != nil {
		return mesh.Stats{}, false
	}
	stats.Member = service.Metadata["member"]
	return stats, true
}
