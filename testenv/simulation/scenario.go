package simulation

// Scenarios are those that the tests run, by name.
func Scenarios() []Scenario {
	base := Scenario{N: 3, Keys: 3, Faults: true, Kinds: "kKllsog", Writes: 0.06, LogSize: 12}
	with := func(name string, f func(*Scenario)) Scenario {
		s := base
		s.Name = name
		f(&s)
		return s
	}
	calm := func(s *Scenario, kinds string) {
		s.N, s.Keys, s.Writes, s.Faults, s.Kinds, s.LogSize = 5, 24, 0.01, false, kinds, 500
	}
	fence := func(name string, n int, f func(*Scenario)) Scenario {
		return with("fence, "+name, func(s *Scenario) { s.N, s.Quorum, s.Drift, s.Kinds = n, n/2+1, 0.01, "kKlsogppaa"; f(s) })
	}
	large := func(name string, f func(*Scenario)) Scenario {
		return with("large, "+name, func(s *Scenario) { s.N, s.Large = 5, true; f(s) })
	}
	return []Scenario{
		with("calm", func(s *Scenario) { calm(s, "") }),
		with("leaves", func(s *Scenario) { calm(s, "l") }),
		with("kills", func(s *Scenario) { calm(s, "k") }),
		with("faults", func(s *Scenario) {}),
		with("faults of five", func(s *Scenario) { s.N = 5 }),
		with("parts", func(s *Scenario) { s.Kinds = "kKlsogppaa" }),
		with("opened and closed", func(s *Scenario) { s.N, s.Kinds = 4, "cccklsogpa" }),
		with("parts of five", func(s *Scenario) { s.N, s.Kinds = 5, "kKlsogppaa" }),
		with("long parts", func(s *Scenario) { s.N, s.Kinds, s.Writes, s.LogSize = 5, "klpppg", 0.01, 500 }),
		with("many writes", func(s *Scenario) { s.Kinds, s.Writes = "kKlsogppaa", 0.3 }),
		with("drift", func(s *Scenario) { s.Kinds, s.Drift = "kKlsogppaa", 0.01 }),
		with("small messages", func(s *Scenario) { s.Kinds, s.Writes, s.Message = "kKlsogppaa", 0.3, 600 }),
		with("no log", func(s *Scenario) { s.Kinds, s.LogSize = "kKlsogppaa", -1 }),
		with("stops", func(s *Scenario) { s.N, s.Kinds = 5, "sssl" }),
		with("a reader", func(s *Scenario) { s.N, s.Readers, s.Kinds = 4, 1, "kKlsogppaa" }),
		with("twins", func(s *Scenario) { s.Twins, s.Kinds = 2, "kKlsogpattt" }),
		large("calm", func(s *Scenario) { calm(s, "") }),
		large("leaves", func(s *Scenario) { calm(s, "l"); s.N = 6 }),
		large("kills", func(s *Scenario) { calm(s, "k") }),
		large("faults", func(s *Scenario) {}),
		large("parts", func(s *Scenario) { s.Kinds = "kKlsogppaa" }),
		large("parts of seven", func(s *Scenario) { s.N, s.Kinds = 7, "kKlsogppaa" }),
		large("about to be", func(s *Scenario) { s.N, s.Kinds = 4, "kkllcsogpa" }),
		large("long parts", func(s *Scenario) { s.Kinds, s.Writes, s.LogSize = "klpppg", 0.01, 500 }),
		large("many writes", func(s *Scenario) { s.Kinds, s.Writes = "kKlsogppaa", 0.3 }),
		large("small messages", func(s *Scenario) { s.Kinds, s.Writes, s.Message = "kKlsogppaa", 0.3, 600 }),
		large("no log", func(s *Scenario) { s.Kinds, s.LogSize = "kKlsogppaa", -1 }),
		large("stops", func(s *Scenario) { s.Kinds = "sssl" }),
		large("twins", func(s *Scenario) { s.Twins, s.Kinds = 2, "kKlsogpattt" }),
		fence("calm", 5, func(s *Scenario) { calm(s, "") }),
		fence("three", 3, func(s *Scenario) {}),
		fence("five", 5, func(s *Scenario) {}),
		fence("parts", 5, func(s *Scenario) { s.Kinds = "pppaaag" }),
		fence("restarts", 3, func(s *Scenario) { s.Kinds = "kKkKlpas" }),
		fence("restarts of five", 5, func(s *Scenario) { s.Kinds = "kKkKlkKpas" }),
		fence("drift", 3, func(s *Scenario) { s.Kinds, s.Drift, s.Keys, s.Writes = "ppppa", 0.012, 1, 0.2 }),
		fence("forgotten", 3, func(s *Scenario) { s.Kinds, s.Writes = "m", 0.01 }),
		fence("forgotten by five", 5, func(s *Scenario) { s.Kinds, s.Writes = "mmk", 0.01 }),
		fence("replaced", 5, func(s *Scenario) { s.Kinds, s.Writes = "z", 0.01 }),
		fence("twins", 3, func(s *Scenario) { s.Twins, s.Quorum, s.Kinds = 2, 3, "kKlsogpattt" }),
		fence("a reader", 3, func(s *Scenario) { s.Readers = 1 }),
		fence("small messages", 5, func(s *Scenario) { s.Writes, s.Message = 0.3, 600 }),
		fence("no log", 3, func(s *Scenario) { s.LogSize = -1 }),
		fence("many writes", 5, func(s *Scenario) { s.Writes = 0.3 }),
	}
}

// Named finds a scenario.
func Named(name string) (Scenario, bool) {
	for _, s := range Scenarios() {
		if s.Name == name {
			return s, true
		}
	}
	return Scenario{}, false
}
