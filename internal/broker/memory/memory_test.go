package memory_test

import (
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/brokertest"
	"github.com/pipesocket/pipesocketd/internal/broker/memory"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestEngine(t *testing.T) {
	for name, o := range map[string]memory.Options{
		"one server":           {},
		"one server, 16 lanes": {Lanes: 16, Delay: 100 * time.Microsecond},
		"a mesh":               {Mesh: true, MeshDelay: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.TestEngine(t, func(*testing.T) brokertest.Setup {
				network := memory.New(o)
				var engines []*memory.Engine
				each := func(f func(*memory.Engine)) func() {
					return func() {
						for _, e := range engines {
							f(e)
						}
					}
				}
				return brokertest.Setup{
					New: func(testing.TB) broker.Engine {
						e := network.Engine()
						engines = append(engines, e)
						return e
					},
					Stop: network.Stop, Start: network.Start,
					Freeze: each((*memory.Engine).Hang), Thaw: each((*memory.Engine).Heal),
				}
			})
		})
	}
}
