from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "studio.access"
    label = "access"

    def ready(self) -> None:
        from studio.access.permissions import Permission
        from studio.access.services import renewal, sessions, sign_in
        from studio.jobs import schedule
        from studio.web import navigation

        schedule.every(3600, sign_in.forget_old, name="forget old sign-in failures and links")
        schedule.every(3600, sessions.forget_over, name="forget sessions that ran out")
        schedule.every(renewal.EVERY_SECONDS, renewal.renew_due, name="renew sessions of single sign-on")
        navigation.register(
            navigation.Entry(
                key="people",
                label="People",
                icon="users",
                url_name="access:people",
                permission=Permission.PEOPLE_MODIFY,
                order=110,
                everywhere=True,
                group="settings",
                match=("access:person", "access:session", "access:grant-new", "access:grant-revoke", "access:who"),
            )
        )
        navigation.register(
            navigation.Entry(
                key="grants",
                label="Grants",
                icon="identification",
                url_name="access:grants",
                permission=Permission.PEOPLE_MODIFY,
                order=115,
                everywhere=True,
                group="settings",
                match=("access:grants", "access:grant-add", "access:grant-take"),
            )
        )
        navigation.register(
            navigation.Entry(
                key="services",
                label="Service accounts",
                icon="cpu-chip",
                url_name="access:services",
                permission=Permission.PEOPLE_MODIFY,
                order=130,
                everywhere=True,
                group="settings",
                match=("access:service",),
            )
        )
        navigation.register(
            navigation.Entry(
                key="tokens",
                label="API tokens",
                icon="command-line",
                url_name="access:tokens",
                order=100,
                group="settings",
                match=("access:token",),
            )
        )
        navigation.register(
            navigation.Entry(
                key="roles",
                label="Roles",
                icon="key",
                url_name="access:roles",
                permission=Permission.PEOPLE_MODIFY,
                order=120,
                everywhere=True,
                group="settings",
                match=("access:role",),
            )
        )
