"""Admin pages for the tables of other apps, in the look of ours."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django_celery_results.admin import GroupResultAdmin, TaskResultAdmin
from django_celery_results.models import GroupResult, TaskResult
from knox.admin import AuthTokenAdmin
from knox.models import AuthToken

from orchestration.participant.admin import IS_UNFOLD, ModelAdmin, ReadOnly

for theirs in (User, Group, AuthToken, TaskResult, GroupResult):
    admin.site.unregister(theirs)


@admin.register(User)
class OurUserAdmin(UserAdmin, ModelAdmin):  # type: ignore[type-arg]
    if IS_UNFOLD:
        from unfold.forms import AdminPasswordChangeForm as change_password_form  # noqa: N813
        from unfold.forms import UserChangeForm as form  # noqa: N813
        from unfold.forms import UserCreationForm as add_form  # noqa: N813


@admin.register(Group)
class OurGroupAdmin(GroupAdmin, ModelAdmin):  # type: ignore[type-arg]
    pass


@admin.register(AuthToken)
class OurAuthTokenAdmin(AuthTokenAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    pass


@admin.register(TaskResult)
class OurTaskResultAdmin(ReadOnly, TaskResultAdmin, ModelAdmin):  # type: ignore[type-arg]
    pass


@admin.register(GroupResult)
class OurGroupResultAdmin(ReadOnly, GroupResultAdmin, ModelAdmin):  # type: ignore[type-arg]
    pass
