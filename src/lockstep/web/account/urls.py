from django.urls import path

from lockstep.web.account import audit, company, security, users, views

app_name = "account"

urlpatterns = [
    path("profile", views.profile, name="profile"),
    path("choose-company", views.choose_company, name="choose_company"),
    path("sign-in", security.security, name="security"),
    path("sign-in/end-others", security.end_others, name="end_others"),
    path("sign-in/sessions/<int:session_id>/end", security.end_session, name="end_session"),
    path("company", company.company, name="company"),
    path("roles", company.roles, name="roles"),
    path("roles/save", company.role, name="save_roles"),
    path("users", users.users, name="users"),
    path("users/invite", users.invite, name="invite"),
    path("users/<int:seat_id>", users.user, name="user"),
    path("users/<int:seat_id>/deactivate", users.deactivate, name="deactivate"),
    path("users/<int:seat_id>/reactivate", users.reactivate, name="reactivate"),
    path("users/<int:seat_id>/remove-second-factor", users.remove_factor, name="remove_factor"),
    path("users/invitations/<int:invitation_id>/send-again", users.resend, name="resend"),
    path("users/invitations/<int:invitation_id>/withdraw", users.revoke, name="revoke"),
    path("sign-ins", users.sign_in_log, name="sign_ins"),
    path("audit", audit.audit, name="audit"),
    path("audit.csv", audit.audit_csv, name="audit_csv"),
]
