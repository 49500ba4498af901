from django.contrib.admin.apps import AdminConfig


class OperatorsConfig(AdminConfig):
    """Django's own admin with our site in it: to look, never to change."""

    default_site = "studio.operators.site.OperatorsSite"

    def ready(self) -> None:
        from studio.access.permissions import Permission
        from studio.web import navigation

        super().ready()
        navigation.register(
            navigation.Entry(
                key="database",
                label="Database",
                icon="circle-stack",
                url_name="admin:index",
                permission=Permission.ADMIN_VIEW,
                order=195,
                everywhere=True,
                group="settings",
            )
        )
