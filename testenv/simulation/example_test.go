package simulation_test

import (
	"fmt"

	"github.com/cachemesh/cachemesh/testenv/simulation"
)

// A run is determined by its seed.
func ExampleRun() {
	scenario, _ := simulation.Named("parts")
	one, two := simulation.Run(7, scenario), simulation.Run(7, scenario)
	fmt.Println(len(one.Violations), one.Gets > 1000, one.Gets == two.Gets && one.Loads == two.Loads)
	// Output: 0 true true
}
