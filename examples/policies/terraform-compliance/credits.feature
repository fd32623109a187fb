Feature: Purchases stay small

  Scenario: One apply buys at most 1000 at any account
    Given I have credits defined
    When it has purchase
    Then it must contain purchase
    And its value must be less than 1001
