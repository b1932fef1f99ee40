package apps

import (
	"fmt"
	"slices"
	"sync/atomic"
)

// Registry finds apps. Lookups never block; Replace swaps the whole set.
type Registry struct {
	set atomic.Pointer[set]
}

type set struct {
	all   []*App
	byID  map[ID]*App
	byKey map[string]*App
}

// NewRegistry returns a registry of the given apps.
func NewRegistry(all ...*App) (*Registry, error) {
	r := &Registry{}
	if err := r.Replace(all...); err != nil {
		return nil, err
	}
	return r, nil
}

// Replace makes all the apps of the registry. Ids and keys must be unique; on
// an error the registry stays as it was.
func (r *Registry) Replace(all ...*App) error {
	next := &set{all: slices.Clone(all), byID: make(map[ID]*App), byKey: make(map[string]*App)}
	for _, app := range all {
		if next.byID[app.ID] != nil {
			return fmt.Errorf("app id %q is used twice", app.ID)
		}
		next.byID[app.ID] = app
		for _, pair := range app.Keys {
			if other := next.byKey[pair.Key]; other != nil {
				return fmt.Errorf("key %q of app %q is also a key of app %q", pair.Key, app.ID, other.ID)
			}
			next.byKey[pair.Key] = app
		}
	}
	r.set.Store(next)
	return nil
}

// ByID returns the app with the given id, nil if there is none.
func (r *Registry) ByID(id ID) *App { return r.set.Load().byID[id] }

// ByKey returns the app that has the given key, nil if there is none.
func (r *Registry) ByKey(key string) *App { return r.set.Load().byKey[key] }

// All returns every app. The slice must not be changed.
func (r *Registry) All() []*App { return r.set.Load().all }
