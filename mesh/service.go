package mesh

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// ServiceName is what a member is called in `nats micro ls`.
const ServiceName = "cachemesh"

// listenService answers the discovery of NATS services by plain subscriptions:
// nats.go's micro would put handlers of its own on the caller's connection.
func (m *Mesh) listenService() error {
	started := time.Now().UTC()
	identity := func() micro.ServiceIdentity {
		return micro.ServiceIdentity{
			Name: ServiceName, ID: m.cfg.ID, Version: Version,
			Metadata: map[string]string{"mesh": m.cfg.Name, "member": m.cfg.ID},
		}
	}
	names := func() (names []string) {
		for name := range *m.caches.Load() {
			names = append(names, name)
		}
		return names
	}
	verbs := map[micro.Verb]func() any{
		micro.PingVerb: func() any {
			return micro.Ping{ServiceIdentity: identity(), Type: micro.PingResponseType}
		},
		micro.InfoVerb: func() any {
			info := micro.Info{ServiceIdentity: identity(), Type: micro.InfoResponseType,
				Description: "a member of the read-through cache " + m.cfg.Name, Endpoints: []micro.EndpointInfo{}}
			for _, name := range names() {
				info.Endpoints = append(info.Endpoints,
					micro.EndpointInfo{Name: "get", Subject: m.subj.Get(name), QueueGroup: gatewayQueue, Metadata: map[string]string{"cache": name}},
					micro.EndpointInfo{Name: "invalidate", Subject: m.subj.Invalidate(name), QueueGroup: gatewayQueue, Metadata: map[string]string{"cache": name}})
			}
			return info
		},
		micro.StatsVerb: func() any {
			stats := micro.Stats{ServiceIdentity: identity(), Type: micro.StatsResponseType, Started: started, Endpoints: []*micro.EndpointStats{}}
			data, _ := json.Marshal(m.Stats()) // counters and names: nothing that cannot be encoded
			n, spent := m.gateway.requests.Load(), time.Duration(m.gateway.nanos.Load())
			get := &micro.EndpointStats{Name: "get", Subject: m.subj.Get("*"), QueueGroup: gatewayQueue,
				NumRequests: int(n), NumErrors: int(m.gateway.errors.Load()), ProcessingTime: spent, Data: data}
			if n > 0 {
				get.AverageProcessingTime = spent / time.Duration(n)
			}
			stats.Endpoints = append(stats.Endpoints, get)
			return stats
		},
	}
	var errs []error
	for verb, answer := range verbs {
		handle := func(msg *nats.Msg) {
			if msg.Reply == "" {
				return
			}
			if data, err := json.Marshal(answer()); err == nil {
				_ = m.nc.Publish(msg.Reply, data)
			}
		}
		base := micro.APIPrefix + "." + strings.ToUpper(verb.String())
		for _, subject := range []string{base, base + "." + ServiceName, base + "." + ServiceName + "." + m.cfg.ID} {
			errs = append(errs, m.listen(subject, false, handle))
		}
	}
	return errors.Join(errs...)
}
