package wire

// Limits of what a message holds. Who has more to say sends more messages.
const (
	MaxKeyBytes     = 65536 // of a key or a tag
	MaxPeers        = 4096  // in a Beat
	MaxCaches       = 4096  // in a Beat or an Ask
	MaxQuestions    = 4096  // in an Ask, and so results in an Answer
	MaxRuledOut     = 4096  // in a Question
	MaxTags         = 4096  // in a Result
	MaxRecords      = 16384 // in a Told, a Tail or an Ask; and numbers in a Confirm
	MaxSources      = 16384 // whose Applied a message tells
	MaxWeight       = 1024  // of a member
	MaxVersionBytes = 256   // of the Version of a Beat
	MaxTraceBytes   = 256   // of the Trace of a Question
)

func (m *Beat) check() error {
	if err := checkInc("beat", m.Inc); err != nil {
		return err
	}
	switch {
	case m.Heartbeat <= 0:
		return malformed("beat: heartbeat of %d µs; it must be positive", m.Heartbeat)
	case m.Lease <= 0:
		return malformed("beat: lease of %d µs; it must be positive", m.Lease)
	case m.For < 0:
		return malformed("beat: member for %d µs; it must not be negative", m.For)
	case m.Tenure < 0:
		return malformed("beat: joined %d µs ago; it must not be negative", m.Tenure)
	case m.Weight < 0 || m.Weight > MaxWeight:
		return malformed("beat: weight %d; it must be 0 to %d", m.Weight, MaxWeight)
	case m.Quorum < 0 || m.Quorum > MaxPeers:
		return malformed("beat: quorum %d; it must be 0 to %d", m.Quorum, MaxPeers)
	case len(m.Version) > MaxVersionBytes:
		return malformed("beat: version of %d bytes; %d are the most", len(m.Version), MaxVersionBytes)
	}
	if err := checkCount("beat: caches", len(m.Caches), MaxCaches); err != nil {
		return err
	}
	for i := range m.Caches {
		c := &m.Caches[i]
		if err := checkToken("beat: cache", c.Name); err != nil {
			return err
		}
		if c.For < 0 {
			return malformed("beat: cache %s owned for %d µs; it must not be negative", c.Name, c.For)
		}
	}
	if err := checkCount("beat: peers", len(m.Peers), MaxPeers); err != nil {
		return err
	}
	for i := range m.Peers {
		if err := m.Peers[i].Instance.check("beat: peer"); err != nil {
			return err
		}
	}
	return checkApplied("beat: applied", m.Applied)
}

func (m *Told) check() error {
	if err := checkInc("told", m.Inc); err != nil {
		return err
	}
	return checkRecords("told: records", m.Records)
}

func (m *Confirm) check() error {
	if err := checkInc("confirm", m.Inc); err != nil {
		return err
	}
	if err := m.To.check("confirm: receiver"); err != nil {
		return err
	}
	return checkCount("confirm: numbers", len(m.Also), MaxRecords)
}

func (m *Want) check() error {
	if err := checkInc("want", m.Inc); err != nil {
		return err
	}
	if err := m.To.check("want: receiver"); err != nil {
		return err
	}
	return checkApplied("want: have", m.Have)
}

func (m *Tail) check() error {
	if err := checkInc("tail", m.Inc); err != nil {
		return err
	}
	if err := m.To.check("tail: receiver"); err != nil {
		return err
	}
	if err := checkApplied("tail: bases", m.Bases); err != nil {
		return err
	}
	return checkRecords("tail: records", m.Records)
}

func (m *Gone) check() error { return checkInc("gone", m.Inc) }

func (m *Taken) check() error { return checkToken("taken: member", m.ID) }

func (m *Instance) check(what string) error {
	if err := checkToken(what, m.ID); err != nil {
		return err
	}
	return checkInc(what, m.Inc)
}

func checkApplied(what string, list []Applied) error {
	if err := checkCount(what, len(list), MaxSources); err != nil {
		return err
	}
	for i := range list {
		if err := list[i].check(what); err != nil {
			return err
		}
	}
	return nil
}

func (m *Applied) check(what string) error {
	if m.Age < 0 {
		return malformed("%s: age of %d µs; it must not be negative", what, m.Age)
	}
	return m.Source.check(what)
}

func checkRecords(what string, list []Invalidation) error {
	if err := checkCount(what, len(list), MaxRecords); err != nil {
		return err
	}
	for i := range list {
		if err := list[i].check(what); err != nil {
			return err
		}
	}
	return nil
}

func (m *Invalidation) check(what string) error {
	if err := m.Source.check(what); err != nil {
		return err
	}
	if m.N == 0 {
		return malformed("%s: record 0; they are numbered from 1", what)
	}
	if err := checkToken(what, m.Cache); err != nil {
		return err
	}
	switch m.Kind {
	case ByKey, ByTag:
		return checkKey(what, m.Key)
	case All:
		if len(m.Key) > 0 {
			return malformed("%s: a key of %d bytes where all keys are meant", what, len(m.Key))
		}
		return nil
	}
	return malformed("%s: unknown kind of invalidation %d", what, m.Kind)
}

func checkInc(what string, inc uint64) error {
	if inc == 0 {
		return malformed("%s: incarnation 0; they begin at 1", what)
	}
	return nil
}

func checkToken(what, s string) error {
	if !ValidToken(s) {
		return malformed("%s: name %.80q %s", what, s, tokenRule)
	}
	return nil
}

func checkKey(what string, key []byte) error {
	if len(key) == 0 || len(key) > MaxKeyBytes {
		return malformed("%s: key of %d bytes; it must have 1 to %d", what, len(key), MaxKeyBytes)
	}
	return nil
}

func checkCount(what string, n, most int) error {
	if n > most {
		return malformed("%s: %d of them; %d are the most", what, n, most)
	}
	return nil
}
