package wire

import "math"

// The least bytes that a valid element of a list takes. Together with the
// sizes of the structs they bound what decoding allocates: see
// TestDecodingAllocatesInProportion.
const (
	minInstance     = 4                   // head, string of one byte, incarnation
	minApplied      = 1 + 1 + minInstance // Upto may be missing
	minInvalidation = 1 + 1 + minInstance + 2 + 3 + 2
	minCache        = 1 + 3
	minPeer         = 1 + 1 + minInstance
	minNumber       = 1
)

func (r *reader) beat(m *Beat) {
	for f := r.fields(); f.next(); {
		switch f.key {
		case 1:
			m.Inc = r.uint()
		case 2:
			m.Nonce = r.uint()
		case 3:
			m.Seq = r.uint()
		case 4:
			m.Heartbeat = r.int()
		case 5:
			m.Lease = r.int()
		case 6:
			m.Weight = int(r.small(MaxWeight))
		case 7:
			m.Reader = r.bool()
		case 8:
			m.Version = r.text()
		case 9:
			m.Hash = uint8(r.small(math.MaxUint8))
		case 10:
			m.Joined = r.bool()
		case 11:
			m.Leaving = r.bool()
		case 12:
			m.For = r.int()
		case 13:
			m.Life = r.int()
		case 14:
			if n := r.list("caches", MaxCaches, minCache); n > 0 {
				m.Caches = make([]CacheState, n)
				for i := range m.Caches {
					r.cache(&m.Caches[i])
				}
			}
		case 15:
			if n := r.list("peers", MaxPeers, minPeer); n > 0 {
				m.Peers = make([]PeerState, n)
				for i := range m.Peers {
					r.peer(&m.Peers[i])
				}
			}
		case 16:
			m.Applied = r.applied("applied")
		case 17:
			m.Tenure = r.int()
		case 18:
			m.Quorum = int(r.small(MaxPeers))
		case 19:
			m.Seasoned = r.bool()
		case 20:
			m.Fenced = r.bool()
		case 21:
			m.Partial = r.bool()
		case 22:
			m.Asks = r.bool()
		default:
			r.skip(1)
		}
	}
}

func (r *reader) cache(c *CacheState) {
	for f := r.fields(); f.next(); {
		switch f.key {
		case 1:
			c.Name = r.text()
		case 2:
			c.Owned = r.bool()
		case 3:
			c.For = r.int()
		default:
			r.skip(3)
		}
	}
}

func (r *reader) peer(p *PeerState) {
	for f := r.fields(); f.next(); {
		switch f.key {
		case 1:
			r.instance(&p.Instance, "")
		case 2:
			p.Seen = r.uint()
		case 3:
			p.Waits = r.bool()
		case 4:
			p.Counts = r.bool()
		case 5:
			p.Grants = r.bool()
		default:
			r.skip(3)
		}
	}
}

func (r *reader) told(m *Told) {
	for f := r.fields(); f.next(); {
		switch f.key {
		case 1:
			m.Inc = r.uint()
		case 2:
			m.Records = r.records()
		default:
			r.skip(1)
		}
	}
}

func (r *reader) confirm(m *Confirm) {
	for f := r.fields(); f.next(); {
		switch f.key {
		case 1:
			m.Inc = r.uint()
		case 2:
			r.instance(&m.To, "")
		case 3:
			m.Upto = r.uint()
		case 4:
			if n := r.list("numbers", MaxRecords, minNumber); n > 0 {
				m.Also = make([]uint64, n)
				for i := range m.Also {
					m.Also[i] = r.uint()
				}
			}
		case 5:
			m.Crowd = r.uint()
		default:
			r.skip(1)
		}
	}
}

func (r *reader) want(m *Want) {
	for f := r.fields(); f.next(); {
		switch f.key {
		case 1:
			m.Inc = r.uint()
		case 2:
			r.instance(&m.To, "")
		case 3:
			m.Have = r.applied("have")
		default:
			r.skip(1)
		}
	}
}

func (r *reader) tail(m *Tail) {
	for f := r.fields(); f.next(); {
		switch f.key {
		case 1:
			m.Inc = r.uint()
		case 2:
			r.instance(&m.To, "")
		case 3:
			m.Bases = r.applied("bases")
		case 4:
			m.Records = r.records()
		default:
			r.skip(1)
		}
	}
}

func (r *reader) gone(m *Gone) {
	for f := r.fields(); f.next(); {
		switch f.key {
		case 1:
			m.Inc = r.uint()
		default:
			r.skip(1)
		}
	}
}

func (r *reader) taken(m *Taken) {
	for f := r.fields(); f.next(); {
		switch f.key {
		case 1:
			m.ID = r.text()
		case 2:
			m.Nonce = r.uint()
		default:
			r.skip(1)
		}
	}
}

// instance reads an instance whose ID is often like.
func (r *reader) instance(m *Instance, like string) {
	if n := r.item(majorList, "list"); n != 2 {
		r.fail("an instance of %d elements; 2 are right", n)
		return
	}
	m.ID = r.name(like)
	m.Inc = r.uint()
}

func (r *reader) applied(what string) []Applied {
	n := r.list(what, MaxSources, minApplied)
	if n == 0 {
		return nil
	}
	list := make([]Applied, n)
	for i := range list {
		a := &list[i]
		for f := r.fields(); f.next(); {
			switch f.key {
			case 1:
				r.instance(&a.Source, "")
			case 2:
				a.Upto = r.uint()
			case 3:
				a.Age = r.int()
			default:
				r.skip(3)
			}
		}
	}
	return list
}

// records reads a list of invalidations. Neighbours are mostly of one source
// and one cache: they share the strings.
func (r *reader) records() []Invalidation {
	n := r.list("records", MaxRecords, minInvalidation)
	if n == 0 {
		return nil
	}
	list := make([]Invalidation, n)
	before := &Invalidation{}
	for i := range list {
		m := &list[i]
		for f := r.fields(); f.next(); {
			switch f.key {
			case 1:
				r.instance(&m.Source, before.Source.ID)
			case 2:
				m.N = r.uint()
			case 3:
				m.Cache = r.name(before.Cache)
			case 4:
				m.Kind = uint8(r.small(math.MaxUint8))
			case 5:
				m.Key = r.bytes()
			default:
				r.skip(3)
			}
		}
		before = m
	}
	return list
}
