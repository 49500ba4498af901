"""Where an environment's rights hold, and which one it asks of whoever changes it."""

from environments.models import Environment
from studio.access.models import User
from studio.access.permissions import Permission, Scope


def scope_of(environment: Environment) -> Scope:
    return Scope(environment.assistant_id, environment.pk)


def modify_permission(environment: Environment) -> Permission:
    """What it takes to modify this environment or to promote to it."""
    if environment.protected:
        return Permission.ENVIRONMENTS_MODIFY_PROTECTED
    return Permission.ENVIRONMENTS_MODIFY


def may_modify(user: User, environment: Environment) -> bool:
    return user.may(modify_permission(environment), scope_of(environment))
