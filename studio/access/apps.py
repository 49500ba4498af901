from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "studio.access"
    label = "access"

    def ready(self) -> None:
        from studio import doctor
        from studio.access import api_repeats, navigation
        from studio.access.oidc.examination import single_sign_on
        from studio.access.services import departures, renewal, sessions, sign_in
        from studio.jobs import schedule

        navigation.register()
        doctor.register("single sign-on", single_sign_on)
        schedule.every(3600, sign_in.forget_old, name="forget old sign-in failures and links")
        schedule.every(3600, sessions.forget_over, name="forget sessions that ran out")
        schedule.every(3600, api_repeats.forget_old, name="forget answers kept for requests that come again")
        schedule.every(renewal.EVERY_SECONDS, renewal.renew_due, name="renew sessions of single sign-on")
        schedule.every(departures.EVERY_SECONDS, departures.end_departed, name="end what departed people have in hand")
