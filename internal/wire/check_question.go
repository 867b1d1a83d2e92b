package wire

func (a *Ask) check() error {
	if err := checkInc("ask", a.Inc); err != nil {
		return err
	}
	if err := checkCount("ask: caches", len(a.Caches), MaxCaches); err != nil {
		return err
	}
	for _, name := range a.Caches {
		if err := checkToken("ask: cache", name); err != nil {
			return err
		}
	}
	if err := checkCount("ask: questions", len(a.Questions), MaxQuestions); err != nil {
		return err
	}
	for i := range a.Questions {
		if err := a.Questions[i].check(len(a.Caches)); err != nil {
			return err
		}
	}
	if err := checkApplied("ask: bases", a.Bases); err != nil {
		return err
	}
	return checkRecords("ask: records", a.Records)
}

// check checks a question of an Ask that names so many caches.
func (q *Question) check(caches int) error {
	if q.Number == 0 {
		return malformed("question: number 0; they begin at 1")
	}
	switch q.Kind {
	case AskGet, AskTakeOver, AskPull:
		if err := checkKey("question", q.Key); err != nil {
			return err
		}
		if q.Cache < 0 || q.Cache >= caches {
			return malformed("question: cache %d of %d", q.Cache, caches)
		}
	case AskChunk, AskCancel: // name a transfer, a question; a cache and a key are allowed
		if len(q.Key) > MaxKeyBytes {
			return checkKey("question", q.Key)
		}
		if q.Cache < 0 || q.Cache > 0 && q.Cache >= caches {
			return malformed("question: cache %d of %d", q.Cache, caches)
		}
	default:
		return malformed("question: unknown kind %d", uint8(q.Kind))
	}
	if q.Left < 0 || q.MaxAge < 0 || q.Offset < 0 || q.Length < 0 {
		return malformed("question: time left %d, MaxAge %d, offset %d, length %d; none may be negative",
			q.Left, q.MaxAge, q.Offset, q.Length)
	}
	if len(q.Trace) > MaxTraceBytes {
		return malformed("question: trace of %d bytes; %d are the most", len(q.Trace), MaxTraceBytes)
	}
	if err := checkCount("question: ruled out", len(q.RuledOut), MaxRuledOut); err != nil {
		return err
	}
	for _, id := range q.RuledOut {
		if err := checkToken("question: ruled out", id); err != nil {
			return err
		}
	}
	return nil
}

func (a *Answer) check() error {
	if err := checkInc("answer", a.Inc); err != nil {
		return err
	}
	if err := checkInc("answer: receiver", a.To); err != nil {
		return err
	}
	if err := checkCount("answer: results", len(a.Results), MaxQuestions); err != nil {
		return err
	}
	for i := range a.Results {
		if err := a.Results[i].check(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Result) check() error {
	if r.Number == 0 {
		return malformed("result: number 0; that of its question is right")
	}
	if r.Status < Value || r.Status > Pulled {
		return malformed("result: unknown status %d", uint8(r.Status))
	}
	if r.Length < 0 || r.Age < 0 || r.Spent < 0 || r.Size < 0 {
		return malformed("result: length %d, age %d, spent %d, size %d; none may be negative",
			r.Length, r.Age, r.Spent, r.Size)
	}
	if r.Instead != "" {
		if err := checkToken("result: instead", r.Instead); err != nil {
			return err
		}
	}
	if r.Owner != "" {
		if err := checkToken("result: owner", r.Owner); err != nil {
			return err
		}
	}
	if err := checkCount("result: tags", len(r.Tags), MaxTags); err != nil {
		return err
	}
	for _, tag := range r.Tags {
		if len(tag) == 0 || len(tag) > MaxKeyBytes {
			return malformed("result: tag of %d bytes; it must have 1 to %d", len(tag), MaxKeyBytes)
		}
	}
	return nil
}

// checkValues checks that the results' values have n bytes in all.
func (a *Answer) checkValues(n int) error {
	left := int64(n)
	for i := range a.Results {
		if a.Results[i].Length > left {
			return malformed("answer: %d bytes of values, fewer than its results have", n)
		}
		left -= a.Results[i].Length
	}
	if left > 0 {
		return malformed("answer: %d bytes of values, %d more than its results have", n, left)
	}
	return nil
}
