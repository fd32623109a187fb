Feature: Tokens ask for no more than they need

  Scenario: No token may write groups
    Given I have token defined
    When it has scopes
    Then it must contain scopes
    And its value must not match the "groups" regex

  Scenario: Every token is revoked when it goes
    Given I have token defined
    Then it must contain on_destroy
    And its value must be revoke
