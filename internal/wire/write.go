package wire

// writer writes messages in the same encoding as encoder: the order of the
// calls is the order of the keys, and a field that is zero is left out unless
// always says otherwise.
type writer struct {
	buf []byte
}

// open begins a map and returns where its head is. Each field written with
// that position is counted there: a map has at most 23.
func (w *writer) open() (at int) {
	w.buf = append(w.buf, majorMap)
	return len(w.buf) - 1
}

func (w *writer) field(at int, key byte) {
	w.buf[at]++
	w.buf = append(w.buf, key)
}

func (w *writer) always(at int, key byte, v uint64) {
	w.field(at, key)
	w.buf = appendItemHead(w.buf, majorUint, v)
}

func (w *writer) uint(at int, key byte, v uint64) {
	if v != 0 {
		w.always(at, key, v)
	}
}

func (w *writer) int(at int, key byte, v int64) {
	if v >= 0 {
		w.uint(at, key, uint64(v))
		return
	}
	w.field(at, key)
	w.buf = appendItemHead(w.buf, majorNeg, uint64(-1-v))
}

func (w *writer) bytes(at int, key byte, v []byte) {
	if len(v) > 0 {
		w.field(at, key)
		w.buf = append(appendItemHead(w.buf, majorBytes, uint64(len(v))), v...)
	}
}

func (w *writer) text(at int, key byte, v string) {
	if v != "" {
		w.field(at, key)
		w.string(v)
	}
}

func (w *writer) string(v string) {
	w.buf = append(appendItemHead(w.buf, majorBytes, uint64(len(v))), v...)
}

func (w *writer) names(at int, key byte, v []string) {
	if w.list(at, key, len(v)) {
		for _, s := range v {
			w.string(s)
		}
	}
}

// list begins a list of n elements and reports whether there are any.
func (w *writer) list(at int, key byte, n int) bool {
	if n == 0 {
		return false
	}
	w.field(at, key)
	w.buf = appendItemHead(w.buf, majorList, uint64(n))
	return true
}

func (w *writer) ask(m *Ask) {
	at := w.open()
	w.always(at, 1, m.Inc)
	w.always(at, 2, m.To)
	w.always(at, 3, m.Batch)
	w.names(at, 4, m.Caches)
	if w.list(at, 5, len(m.Questions)) {
		for i := range m.Questions {
			w.question(&m.Questions[i])
		}
	}
	if w.list(at, 6, len(m.Bases)) {
		for i := range m.Bases {
			w.applied(&m.Bases[i])
		}
	}
	if w.list(at, 7, len(m.Records)) {
		for i := range m.Records {
			w.invalidation(&m.Records[i])
		}
	}
}

func (w *writer) question(q *Question) {
	at := w.open()
	w.always(at, 1, q.Number)
	w.always(at, 2, uint64(q.Kind))
	w.int(at, 3, int64(q.Cache))
	w.bytes(at, 4, q.Key)
	w.int(at, 5, q.Left)
	w.names(at, 6, q.RuledOut)
	w.uint(at, 7, uint64(q.Flags))
	w.int(at, 8, q.MaxAge)
	w.uint(at, 9, uint64(q.Reads))
	w.uint(at, 10, q.Transfer)
	w.int(at, 11, q.Offset)
	w.int(at, 12, q.Length)
	w.text(at, 13, q.Trace)
}

func (w *writer) answer(m *Answer) {
	at := w.open()
	w.always(at, 1, m.Inc)
	w.always(at, 2, m.To)
	w.uint(at, 3, m.Batch)
	if w.list(at, 4, len(m.Results)) {
		for i := range m.Results {
			w.result(&m.Results[i])
		}
	}
	w.uint(at, 5, uint64(m.Flags))
}

func (w *writer) result(s *Result) {
	at := w.open()
	w.always(at, 1, s.Number)
	w.always(at, 2, uint64(s.Status))
	w.int(at, 3, s.Length)
	w.int(at, 4, s.Age)
	w.int(at, 5, s.Life)
	w.int(at, 6, s.Spent)
	w.uint(at, 7, uint64(s.Flags))
	w.text(at, 8, s.Instead)
	w.text(at, 9, s.Error)
	w.text(at, 10, s.ETag)
	w.uint(at, 11, s.Version)
	w.names(at, 12, s.Tags)
	w.uint(at, 13, s.Transfer)
	w.int(at, 14, s.Size)
	w.text(at, 15, s.Owner)
}

func (w *writer) applied(m *Applied) {
	at := w.open()
	w.field(at, 1)
	w.instance(&m.Source)
	w.always(at, 2, m.Upto)
	w.int(at, 3, m.Age)
}

func (w *writer) invalidation(m *Invalidation) {
	at := w.open()
	w.field(at, 1)
	w.instance(&m.Source)
	w.always(at, 2, m.N)
	w.field(at, 3)
	w.string(m.Cache)
	w.always(at, 4, uint64(m.Kind))
	w.bytes(at, 5, m.Key)
}

func (w *writer) instance(m *Instance) {
	w.buf = append(w.buf, majorList|2)
	w.string(m.ID)
	w.buf = appendItemHead(w.buf, majorUint, m.Inc)
}
