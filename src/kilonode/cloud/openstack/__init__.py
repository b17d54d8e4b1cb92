"""The OpenStack services of the emulated cloud, each with the same anatomy: routes, model, reconcile."""
