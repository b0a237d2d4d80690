"""Where registries really are, from the policy's words to the registry client's."""

from countermark.adapters.registry_map import DOCKER_LOGIN, RegistryPlace
from countermark.policy.model import Policy


def places(policy: Policy) -> dict[str, RegistryPlace]:
    """Every place that a layer names."""
    return {
        place.scope: RegistryPlace(
            at=place.at,
            ca_texts=(place.ca,) if place.ca else (),
            login=place.login or DOCKER_LOGIN,
            realms=place.realms,
        )
        for layer in policy.layers
        for place in layer.registries
    }
